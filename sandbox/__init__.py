"""AWS on this machine: what the gate needs of CodePipeline, EventBridge, Lambda and IAM, for trying
and testing. Never deployed.
"""

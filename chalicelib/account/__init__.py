"""The gated pipelines of an AWS account, for the Board and the command line."""

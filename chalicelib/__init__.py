"""Pipeline Gate: an AWS CodePipeline pipeline waits until other pipelines are idle."""

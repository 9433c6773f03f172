"""The texts that people read in the CodePipeline console."""

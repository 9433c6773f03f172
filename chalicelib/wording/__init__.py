"""What people read in the CodePipeline console."""

# The work itself: what buildspec.yml in the repository says. Put your own deployment in its place.

resource "aws_codebuild_project" "deploy" {
  for_each = var.repositories

  name         = "pipelines-${each.key}"
  service_role = aws_iam_role.deploy[each.key].arn

  source {
    type = "CODEPIPELINE"
  }

  artifacts {
    type = "CODEPIPELINE"
  }

  environment {
    type         = "LINUX_CONTAINER"
    compute_type = "BUILD_GENERAL1_SMALL"
    image        = "aws/codebuild/amazonlinux-x86_64-standard:5.0"
  }

  logs_config {
    cloudwatch_logs {
      group_name = aws_cloudwatch_log_group.deploy[each.key].name
    }
  }
}

resource "aws_cloudwatch_log_group" "deploy" {
  for_each = var.repositories

  name              = "/aws/codebuild/pipelines-${each.key}"
  retention_in_days = 90
}

resource "aws_iam_role" "deploy" {
  for_each = var.repositories

  name_prefix = "deploy-${each.key}-"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "codebuild.amazonaws.com" }
      Action    = "sts:AssumeRole"
      # CodeBuild acts for every account: here only for this project.
      Condition = {
        StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.id }
        ArnLike      = { "aws:SourceArn" = "arn:*:codebuild:*:${data.aws_caller_identity.current.id}:project/pipelines-${each.key}" }
      }
    }]
  })
}

# Add to each role what its deployment needs, and no more.
resource "aws_iam_role_policy" "deploy" {
  for_each = var.repositories

  name = "build"
  role = aws_iam_role.deploy[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource = "${aws_s3_bucket.artifacts.arn}/*"
      },
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.deploy[each.key].arn}:*"
      },
    ]
  })
}

# What the pipelines may do: a role each, so that only the one with the gate may invoke it.

locals {
  # What each pipeline has besides its source, its artifacts and its deployment.
  more = {
    infra = []
    k8s = [
      { Effect = "Allow", Action = "lambda:InvokeFunction", Resource = data.aws_lambda_function.gate.arn },
      # As in AWS's own examples. AWS has no resource level for it.
      { Effect = "Allow", Action = "lambda:ListFunctions", Resource = "*" },
    ]
  }
}

data "aws_caller_identity" "current" {}

resource "aws_iam_role" "pipeline" {
  for_each = var.repositories

  name_prefix = "pipeline-${each.key}-"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "codepipeline.amazonaws.com" }
      Action    = "sts:AssumeRole"
      # CodePipeline acts for everybody: here only for this pipeline.
      Condition = {
        StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.id }
        ArnLike      = { "aws:SourceArn" = "arn:*:codepipeline:*:${data.aws_caller_identity.current.id}:${each.key}" }
      }
    }]
  })
}

resource "aws_iam_role_policy" "pipeline" {
  for_each = var.repositories

  name = "pipeline"
  role = aws_iam_role.pipeline[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(local.more[each.key], [
      {
        Effect = "Allow"
        # The service was renamed: which of the two actions counts follows from the name in the connection's ARN.
        Action   = ["codeconnections:UseConnection", "codestar-connections:UseConnection"]
        Resource = var.connection_arn
      },
      {
        Effect   = "Allow"
        Action   = ["s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning"]
        Resource = aws_s3_bucket.artifacts.arn
      },
      {
        Effect = "Allow"
        # A source with a connection also sets the ACL of the artifact that it writes.
        Action   = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:PutObjectAcl"]
        Resource = "${aws_s3_bucket.artifacts.arn}/*"
      },
      {
        Effect   = "Allow"
        Action   = ["codebuild:StartBuild", "codebuild:BatchGetBuilds"]
        Resource = aws_codebuild_project.deploy[each.key].arn
      },
    ])
  })
}

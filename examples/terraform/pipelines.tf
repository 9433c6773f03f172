# Two pipelines, as a team would have them: k8s deploys only when infra does not run. examples/README.md has the commands.

resource "aws_codepipeline" "infra" {
  name          = "infra"
  pipeline_type = "V2"
  role_arn      = aws_iam_role.pipeline["infra"].arn

  artifact_store {
    type     = "S3"
    location = aws_s3_bucket.artifacts.bucket
  }

  stage {
    name = "Source"

    action {
      name             = "Source"
      category         = "Source"
      owner            = "AWS"
      provider         = "CodeStarSourceConnection"
      version          = "1"
      output_artifacts = ["source"]

      configuration = {
        ConnectionArn    = var.connection_arn
        FullRepositoryId = var.repositories.infra
        BranchName       = var.branch
      }
    }
  }

  stage {
    name = "Deploy"

    action {
      name            = "Deploy"
      category        = "Build"
      owner           = "AWS"
      provider        = "CodeBuild"
      version         = "1"
      input_artifacts = ["source"]

      configuration = {
        ProjectName = aws_codebuild_project.deploy["infra"].name
      }
    }
  }

  # A new pipeline starts at once: what it may do has to stand first.
  depends_on = [aws_iam_role_policy.pipeline]
}

resource "aws_codepipeline" "k8s" {
  name          = "k8s"
  pipeline_type = "V2" # V1 has no variables
  role_arn      = aws_iam_role.pipeline["k8s"].arn

  artifact_store {
    type     = "S3"
    location = aws_s3_bucket.artifacts.bucket
  }

  # For the urgent fix that cannot wait: aws codepipeline start-pipeline-execution --name k8s --variables name=bypass,value=true
  # Leave it out, here and in the gate's parameters, where who may start k8s must not pass.
  variable {
    name          = "bypass"
    default_value = "false"
    description   = "true passes the gate without a look at infra"
  }

  stage {
    name = "Source"

    action {
      name             = "Source"
      category         = "Source"
      owner            = "AWS"
      provider         = "CodeStarSourceConnection"
      version          = "1"
      output_artifacts = ["source"]

      configuration = {
        ConnectionArn    = var.connection_arn
        FullRepositoryId = var.repositories.k8s
        BranchName       = var.branch
      }
    }
  }

  # Right after the source: a held execution has done nothing yet that would be done twice.
  stage {
    name = "Gate"

    action {
      name     = "Wait"
      category = "Invoke"
      owner    = "AWS"
      provider = "Lambda"
      version  = "1"

      configuration = {
        FunctionName = data.aws_lambda_function.gate.function_name
        # #{...} is CodePipeline's own, for each execution: HCL leaves it alone, as it would not leave a dollar or per cent sign there.
        UserParameters = jsonencode({
          depends_on = [aws_codepipeline.infra.name]
          pipeline   = "k8s"
          execution  = "#{codepipeline.PipelineExecutionId}"
          bypass     = "#{variables.bypass}"
        })
      }
    }
  }

  stage {
    name = "Deploy"

    action {
      name            = "Deploy"
      category        = "Build"
      owner           = "AWS"
      provider        = "CodeBuild"
      version         = "1"
      input_artifacts = ["source"]

      configuration = {
        ProjectName = aws_codebuild_project.deploy["k8s"].name
      }
    }
  }

  depends_on = [aws_iam_role_policy.pipeline]
}

# Where the gate is not deployed, the plan says so.
data "aws_lambda_function" "gate" {
  function_name = "pipeline-gate-${var.gate_stage}-gate"
}

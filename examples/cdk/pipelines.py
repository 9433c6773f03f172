"""Two pipelines, as a team would have them: k8s deploys only while infra is not running."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy, Stack, aws_codebuild, aws_iam, aws_s3
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as actions
from constructs import Construct
from gate import gate_stage


class Pipelines(Stack):
    """The pipelines infra and k8s, and the bucket for their artifacts.

    `gate_deployed_as`: the stage of `chalice deploy` to which the gate belongs. Repositories are
    owner/name.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        gate_deployed_as: str,
        connection_arn: str,
        infra_repository: str,
        k8s_repository: str,
        branch: str,
    ) -> None:
        super().__init__(scope, id_)
        self.connection_arn = connection_arn
        self.branch = branch
        self.artifacts = aws_s3.Bucket(
            self,
            "Artifacts",
            block_public_access=aws_s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=aws_s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            # S3's own key, which CodePipeline uses by default. A pipeline across accounts needs a
            # key of yours.
            encryption=aws_s3.BucketEncryption.KMS_MANAGED,
            bucket_key_enabled=True,
            # Deleted when executions can no longer be retried or rolled back to.
            lifecycle_rules=[
                aws_s3.LifecycleRule(
                    expiration=Duration.days(90),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
            ],
            removal_policy=RemovalPolicy.RETAIN,  # S3 does not delete a bucket that is not empty
        )

        infra = self.add_pipeline("infra", infra_repository)
        # For an urgent fix that cannot wait:
        #   aws codepipeline start-pipeline-execution --name k8s
        #     --variables name=bypass,value=true
        # Leave it out if people who may start k8s must not bypass the gate.
        bypass = codepipeline.Variable(
            variable_name="bypass",
            default_value="false",
            description="true passes the gate without a look at infra",
        )
        wait = gate_stage(
            self,
            pipeline="k8s",
            depends_on=[infra.pipeline_name],
            bypass=bypass,
            deployed_as=gate_deployed_as,
        )
        self.add_pipeline("k8s", k8s_repository, wait, variables=[bypass])

    def add_pipeline(
        self,
        name: str,
        repository: str,
        *between: codepipeline.StageProps,
        variables: Sequence[codepipeline.Variable] = (),
    ) -> codepipeline.Pipeline:
        """A pipeline: Source, the stages `between`, and a Deploy that runs the repository's
        buildspec.yml.
        """
        source = codepipeline.Artifact("source")
        owner, _, repo = repository.partition("/")
        fetch = actions.CodeStarConnectionsSourceAction(
            action_name="Source",
            connection_arn=self.connection_arn,
            owner=owner,
            repo=repo,
            branch=self.branch,
            output=source,
        )
        project_name = f"{self.stack_name}-{name}"
        project_arn = self.format_arn(
            service="codebuild", resource="project", resource_name=project_name
        )
        project = aws_codebuild.PipelineProject(
            self,
            f"{name}-deploy",
            project_name=project_name,
            role=self.add_role(f"{name}-deploy-role", "codebuild", project_arn),
            environment=aws_codebuild.BuildEnvironment(
                build_image=aws_codebuild.LinuxBuildImage.AMAZON_LINUX_2023_5
            ),
        )  # project.add_to_role_policy(...): only what this deployment needs
        deploy = actions.CodeBuildAction(action_name="Deploy", project=project, input=source)
        pipeline_arn = self.format_arn(service="codepipeline", resource=name)
        pipeline = codepipeline.Pipeline(
            self,
            name,
            pipeline_name=name,
            role=self.add_role(f"{name}-role", "codepipeline", pipeline_arn),
            pipeline_type=codepipeline.PipelineType.V2,  # V1 has no variables
            artifact_bucket=self.artifacts,
            use_pipeline_role_for_actions=True,  # one role per pipeline, not one more per action
            variables=list(variables),
            stages=[
                codepipeline.StageProps(stage_name="Source", actions=[fetch]),
                *between,
                codepipeline.StageProps(stage_name="Deploy", actions=[deploy]),
            ],
        )
        # The service was renamed. The name in the connection's ARN decides which action is needed,
        # and the CDK allows only the old one.
        pipeline.add_to_role_policy(
            aws_iam.PolicyStatement(
                actions=["codeconnections:UseConnection"], resources=[self.connection_arn]
            )
        )
        return pipeline

    def add_role(self, id_: str, service: str, source_arn: str) -> aws_iam.Role:
        """A role that the service may use only for this pipeline or project, not for any other."""
        conditions = {
            "StringEquals": {"aws:SourceAccount": self.account},
            "ArnLike": {"aws:SourceArn": source_arn},
        }
        principal = aws_iam.ServicePrincipal(f"{service}.amazonaws.com")
        return aws_iam.Role(self, id_, assumed_by=principal.with_conditions(conditions))

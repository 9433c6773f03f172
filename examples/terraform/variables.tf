variable "gate_stage" {
  description = "The stage that Pipeline Gate was deployed as (chalice deploy --stage prod), in this account and region"
  type        = string
  default     = "prod"
}

variable "connection_arn" {
  description = "The connection to GitHub, GitLab or Bitbucket. A person has to confirm a new one, so it is not made here"
  type        = string

  validation {
    condition     = can(regex("^arn:[\\w-]+:(codeconnections|codestar-connections):[\\w-]+:\\d{12}:connection/[\\w-]+$", var.connection_arn))
    error_message = "It looks like arn:aws:codeconnections:eu-central-1:123456789012:connection/11111111-2222-3333-4444-555555555555."
  }
}

variable "repositories" {
  description = "The repository of each pipeline, as owner/name"
  type = object({
    infra = string
    k8s   = string
  })
}

variable "branch" {
  description = "A push to this branch of a repository starts its pipeline"
  type        = string
  default     = "main"
}

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

# Region and credentials come from the environment, as for the AWS CLI. Add your backend here: state kept on a laptop is lost with it.
provider "aws" {}

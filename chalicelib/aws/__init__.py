"""The AWS services, one module each, behind the verbs that the gate needs."""

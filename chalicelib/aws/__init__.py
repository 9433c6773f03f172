"""The AWS services, one module per service, with the few operations that the gate needs."""

"""`hri serve`: the registry, the authority and the verifier over HTTP. Thin: the use cases are below."""

"""When, where and how often it runs: Prefect flows, deployments, settings and the `yuliao` command."""

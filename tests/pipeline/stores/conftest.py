"""An S3 server on loopback, for the tests of stores."""

import pytest


@pytest.fixture(scope="module")
def s3():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3, monkeypatch):
    import boto3

    monkeypatch.setenv("STORE_KEY", "AKtest")
    monkeypatch.setenv("STORE_SECRET", "very-secret-value")
    client = boto3.client(
        "s3", endpoint_url=s3, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    client.create_bucket(Bucket="corpus")
    yield client
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="corpus"):
        for found in page.get("Contents", []):
            client.delete_object(Bucket="corpus", Key=found["Key"])
    client.delete_bucket(Bucket="corpus")

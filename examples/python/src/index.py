"""Keeps an order in a table: what the function's policyStatements allow, and no more."""

import os

import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def handler(event, context):
    table.put_item(Item={"id": event["id"], "quantity": event["quantity"]})
    return {"kept": event["id"]}

"""Uses the API through a client that was generated from its description, as others would.

`tests/properties/main.rs` has openapi-python-client generate the package `formation_client` and runs
this: every answer is read into the models of that package, or the client fails.
"""

import os
import sys
import time

import httpx
from formation_client import Client
from formation_client.api.default import (
    create_function,
    delete_function,
    describe_function,
    describe_operation,
    list_functions,
    list_operations,
    plan_functions,
    update_function,
)
from formation_client.models import (
    Architecture,
    DriftStatus,
    FieldProblemCode,
    FunctionPatch,
    FunctionRequest,
    FunctionRequestArchitecture,
    FunctionRequestEnvironment,
    FunctionRequestLogRetentionDays,
    FunctionRequestRuntime,
    FunctionRequestTags,
    FunctionStatus,
    ListFunctionsStatus,
    Operation,
    OperationKind,
    OperationStatus,
    PlanRequest,
    ProblemCode,
    Rollback,
)

from signature import signed_headers


class Signature(httpx.Auth):
    requires_request_body = True

    def auth_flow(self, request):
        url = str(request.url)
        request.headers.update(signed_headers(request.method, url, request.content))
        yield request


# The longest that an operation takes, on a busy machine either.
LIMIT_SECONDS = 120

name = sys.argv[1]
api = Client(
    base_url=os.environ["API_URL"], httpx_args={"auth": Signature()}, timeout=60, raise_on_unexpected_status=True
)


def outcome(operation):
    """The operation once it has ended."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while operation.status == OperationStatus.RUNNING:
        assert time.monotonic() < deadline, operation
        operation = describe_operation.sync(name, operation.operation_id, client=api, steps=True)
    return operation


wanted = FunctionRequest(
    function_name=name,
    code="export const handler = async () => ({});",
    runtime=FunctionRequestRuntime.NODEJS24_X,
    architecture=FunctionRequestArchitecture.X86_64,
    log_retention_days=FunctionRequestLogRetentionDays.VALUE_7,
    environment=FunctionRequestEnvironment.from_dict({"GREETING": "hello"}),
    tags=FunctionRequestTags.from_dict({"team": "blue", "app:tier": "web"}),
)
plan = create_function.sync(client=api, body=wanted, dry_run=True)
assert plan.kind == OperationKind.CREATE, plan
plans = plan_functions.sync(client=api, body=PlanRequest(functions=[wanted, wanted])).plans
assert plans[0].kind == OperationKind.CREATE and not plans[0].errors, plans
assert plans[1].errors[0].code == FieldProblemCode.CONFLICT, plans
request = {"client": api, "body": wanted, "wait": 25, "idempotency_key": f"create-{name}"}
answer = create_function.sync(**request)
accepted = answer if isinstance(answer, Operation) else list_operations.sync(name, client=api).operations[0]
assert accepted.kind == OperationKind.CREATE, accepted
created = outcome(accepted)
assert created.status == OperationStatus.SUCCEEDED, created
assert created.rollback == Rollback.NOT_NEEDED, created

function = describe_function.sync(name, client=api)
assert function.status == FunctionStatus.AVAILABLE, function
assert function.architecture == Architecture.X86_64, function
assert function.drift.status == DriftStatus.IN_SYNC, function
assert function.environment["GREETING"] == "hello", function
page = list_functions.sync(client=api, prefix=name, status=ListFunctionsStatus.AVAILABLE)
assert [function.function_name for function in page.functions] == [name], page
for tags, expected in ((["team:blue", "app:tier:web"], [name]), (["team:blue", "app:tier:db"], [])):
    page = list_functions.sync(client=api, prefix=name, tag=tags)
    assert [function.function_name for function in page.functions] == expected, (tags, page)

assert function.reserved_concurrency is None, function
for reserved in (2, None):
    patch = FunctionPatch(memory_megabytes=256, reserved_concurrency=reserved)
    patched = update_function.sync(name, client=api, body=patch, wait=25)
    patched = outcome(patched) if isinstance(patched, Operation) else patched
    function = describe_function.sync(name, client=api)
    assert (function.memory_megabytes, function.reserved_concurrency) == (256, reserved), patched

problem = create_function.sync(client=api, body=FunctionRequest(function_name=name, code=""))
assert problem.code == ProblemCode.INVALID_FUNCTION, problem
assert problem.error_count == 1 and problem.errors[0].code == FieldProblemCode.OUT_OF_RANGE, problem

deleted = outcome(delete_function.sync(name, client=api))
assert deleted.status == OperationStatus.SUCCEEDED, deleted
problem = describe_function.sync(name, client=api)
assert problem.code == ProblemCode.FUNCTION_NOT_FOUND, problem
kinds = [operation.kind for operation in list_operations.sync(name, client=api).operations]
assert kinds == [OperationKind.DELETE, *[OperationKind.UPDATE] * 2, OperationKind.CREATE], kinds

# Whoever repeats a request and waits may learn that the function is gone since.
again = create_function.sync_detailed(**request)
assert again.status_code == 204 and again.parsed is None, again

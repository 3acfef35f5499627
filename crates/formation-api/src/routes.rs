//! The routes of the API.

use formation_model::ProblemCode as P;

/// What a route does: what its request is handed to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    ListFunctions,
    CreateFunction,
    DescribeFunction,
    PutFunction,
    UpdateFunction,
    DeleteFunction,
    RepairFunction,
    CompareFunction,
    ListOperations,
    DescribeOperation,
    CancelOperation,
    DescribeApi,
}

/// One route of the API.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub(crate) action: Action,
    /// In capitals.
    pub method: &'static str,
    /// As API Gateway writes it.
    pub path: &'static str,
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) parameters: &'static [&'static str],
    pub(crate) body: Option<&'static str>,
    /// Status, and the schema of its body if it has one.
    pub(crate) answers: &'static [(u16, &'static str)],
    /// Besides those that follow from the rest.
    pub(crate) problems: &'static [P],
}

const FUNCTION: &str = "/v1/functions/{functionName}";

/// The routes, as they are in `infra/template.yaml` but for `$default`.
pub const ROUTES: &[Route] = &[
    Route {
        action: Action::ListFunctions,
        method: "GET",
        path: "/v1/functions",
        id: "listFunctions",
        summary: "Lists functions by name, strongly consistent.",
        parameters: &["limit", "nextToken", "status", "prefix"],
        body: None,
        answers: &[(200, "FunctionList")],
        problems: &[P::InvalidNextToken],
    },
    Route {
        action: Action::CreateFunction,
        method: "POST",
        path: "/v1/functions",
        id: "createFunction",
        summary: "Creates a function.",
        parameters: &["wait", "dryRun", "Idempotency-Key"],
        body: Some("FunctionRequest"),
        answers: &[(200, "Plan"), (201, "Function"), (202, "Operation"), (204, "")],
        problems: &[P::FunctionExists],
    },
    Route {
        action: Action::DescribeFunction,
        method: "GET",
        path: FUNCTION,
        id: "describeFunction",
        summary: "Describes a function.",
        parameters: &["functionName"],
        body: None,
        answers: &[(200, "Function")],
        problems: &[P::FunctionNotFound],
    },
    Route {
        action: Action::PutFunction,
        method: "PUT",
        path: FUNCTION,
        id: "putFunction",
        summary: "Creates a function (If-None-Match: *) or replaces it (If-Match).",
        parameters: &[
            "functionName",
            "If-Match",
            "If-None-Match",
            "wait",
            "dryRun",
            "Idempotency-Key",
        ],
        body: Some("FunctionRequest"),
        answers: &[(200, "FunctionOrPlan"), (201, "Function"), (202, "Operation"), (204, "")],
        problems: &[
            P::FunctionNotFound,
            P::NeverAvailable,
            P::PreconditionFailed,
            P::PreconditionRequired,
        ],
    },
    Route {
        action: Action::UpdateFunction,
        method: "PATCH",
        path: FUNCTION,
        id: "updateFunction",
        summary: "Changes what the merge patch names; 200 if that changes nothing.",
        parameters: &["functionName", "If-Match", "wait", "dryRun", "Idempotency-Key"],
        body: Some("FunctionPatch"),
        answers: &[(200, "FunctionOrPlan"), (202, "Operation"), (204, "")],
        problems: &[P::FunctionNotFound, P::NeverAvailable, P::PreconditionFailed],
    },
    Route {
        action: Action::DeleteFunction,
        method: "DELETE",
        path: FUNCTION,
        id: "deleteFunction",
        summary: "Deletes a function with all its parts.",
        parameters: &["functionName", "If-Match", "wait", "dryRun", "Idempotency-Key"],
        body: None,
        answers: &[(200, "Plan"), (202, "Operation"), (204, "")],
        problems: &[P::FunctionNotFound, P::DeletionProtected, P::PreconditionFailed],
    },
    Route {
        action: Action::RepairFunction,
        method: "POST",
        path: "/v1/functions/{functionName}/repair",
        id: "repairFunction",
        summary: "Brings AWS back to what is recorded; where a create could not be undone, finishes undoing it.",
        parameters: &["functionName", "If-Match", "wait", "dryRun", "Idempotency-Key"],
        body: None,
        answers: &[(200, "FunctionOrPlan"), (202, "Operation"), (204, "")],
        problems: &[P::FunctionNotFound, P::PreconditionFailed],
    },
    Route {
        action: Action::CompareFunction,
        method: "GET",
        path: "/v1/functions/{functionName}/drift",
        id: "compareFunction",
        summary: "Compares a function with AWS, now.",
        parameters: &["functionName"],
        body: None,
        answers: &[(200, "DriftReport")],
        problems: &[P::FunctionNotFound],
    },
    Route {
        action: Action::ListOperations,
        method: "GET",
        path: "/v1/functions/{functionName}/operations",
        id: "listOperations",
        summary: "Lists a function's operations, newest first.",
        parameters: &["functionName", "limit", "nextToken"],
        body: None,
        answers: &[(200, "OperationList")],
        problems: &[P::FunctionNotFound, P::InvalidNextToken],
    },
    Route {
        action: Action::DescribeOperation,
        method: "GET",
        path: "/v1/functions/{functionName}/operations/{operationId}",
        id: "describeOperation",
        summary: "Describes an operation.",
        parameters: &["functionName", "operationId", "steps"],
        body: None,
        answers: &[(200, "Operation")],
        problems: &[P::FunctionNotFound, P::OperationNotFound],
    },
    Route {
        action: Action::CancelOperation,
        method: "POST",
        path: "/v1/functions/{functionName}/operations/{operationId}/cancel",
        id: "cancelOperation",
        summary: "Stops an operation while it goes forward, and undoes what it has changed.",
        parameters: &["functionName", "operationId"],
        body: None,
        answers: &[(202, "Operation")],
        problems: &[P::FunctionNotFound, P::OperationNotFound, P::NotCancellable],
    },
    Route {
        action: Action::DescribeApi,
        method: "GET",
        path: "/v1/openapi.json",
        id: "describeApi",
        summary: "This document.",
        parameters: &[],
        body: None,
        answers: &[(200, "Document")],
        problems: &[],
    },
];

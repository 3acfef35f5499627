//! The routes of the API: one row each.
//!
//! From this table follow the dispatch, the API's own description, and tests of what else names a
//! route: those of `infra/template.yaml` (each is there, authorised by IAM, and held by the managed
//! policies that its row says) and those of the handlers (each is answered, as it should be).

use std::collections::BTreeMap;

use formation_model::{FunctionName, ProblemCode as P};
use serde::Serialize;

/// What a route does. In small camel case this is its `operationId`, from which generated clients name
/// their methods, and in snake case its handler.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Action {
    DescribeStack,
    PlanFunctions,
    ListFunctions,
    CreateFunction,
    DescribeFunction,
    PutFunction,
    UpdateFunction,
    DeleteFunction,
    RepairFunction,
    RollBackFunction,
    CompareFunction,
    DescribeCode,
    ListRevisions,
    DescribeRevision,
    ListOperations,
    DescribeOperation,
    CancelOperation,
    CreateUpload,
    DescribeApi,
}

/// Whom the stack's managed policies let call a route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Who has any of them: `Plan`, `ReadOnly`, `FullAccess`. It writes nothing and tells no value of an
    /// environment.
    Plan,
    /// Who has `ReadOnly` or `FullAccess`.
    Read,
    /// Who has `FullAccess`.
    Change,
}

/// One route of the API.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub(crate) action: Action,
    /// In capitals.
    pub method: &'static str,
    /// As API Gateway writes it.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    pub(crate) summary: &'static str,
    pub(crate) parameters: &'static [&'static str],
    /// The schema of the body, if there is to be one.
    pub body: Option<&'static str>,
    /// Status, and the schema of its body if it has one.
    pub(crate) answers: &'static [(u16, &'static str)],
    /// Besides those that follow from the rest.
    pub(crate) problems: &'static [P],
}

impl Route {
    /// The route's key in API Gateway.
    pub fn key(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The path with these values for its parameters; none where one is missing.
    pub(crate) fn path_with(&self, names: &BTreeMap<String, String>) -> Option<String> {
        let segments = self.path.split('/').map(|segment| match parameter(segment) {
            Some(name) => names.get(name).map(String::as_str),
            None => Some(segment),
        });
        Some(segments.collect::<Option<Vec<_>>>()?.join("/"))
    }

    /// Whether `path` is this route's with any names in it.
    pub(crate) fn has_path(&self, path: &str) -> bool {
        let is_name = |text: &str| text.parse::<FunctionName>().is_ok();
        let (segments, own) = (path.split('/'), self.path.split('/'));
        segments.clone().count() == own.clone().count()
            && segments.zip(own).all(|(segment, own)| match parameter(own) {
                Some(_) => is_name(segment),
                None => segment == own,
            })
    }
}

/// The parameter that a segment of a route's path stands for.
fn parameter(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

const FUNCTION: &str = "/v1/functions/{functionName}";

/// All routes but `$default`, which `infra/template.yaml` has besides.
pub const ROUTES: &[Route] = &[
    Route {
        action: Action::DescribeStack,
        method: "GET",
        path: "/v1",
        access: Access::Plan,
        summary: "Tells what the stack is and what its functions may have.",
        parameters: &[],
        body: None,
        answers: &[(200, "About")],
        problems: &[],
    },
    Route {
        action: Action::PlanFunctions,
        method: "POST",
        path: "/v1/plan",
        access: Access::Plan,
        summary: "Tells what the PUTs of up to 100 functions would do, and does nothing.",
        parameters: &[],
        body: Some("PlanRequest"),
        answers: &[(200, "Plans")],
        problems: &[],
    },
    Route {
        action: Action::ListFunctions,
        method: "GET",
        path: "/v1/functions",
        access: Access::Read,
        summary: "Lists functions by name, strongly consistent.",
        parameters: &["limit", "nextToken", "status", "prefix", "tag"],
        body: None,
        answers: &[(200, "FunctionList")],
        problems: &[P::InvalidNextToken],
    },
    Route {
        action: Action::CreateFunction,
        method: "POST",
        path: "/v1/functions",
        access: Access::Change,
        summary: "Creates a function.",
        parameters: &["wait", "dryRun", "Idempotency-Key"],
        body: Some("FunctionRequest"),
        answers: &[(200, "Plan"), (201, "Function"), (202, "Operation"), (204, "")],
        problems: &[P::FunctionExists, P::UploadNotFound],
    },
    Route {
        action: Action::DescribeFunction,
        method: "GET",
        path: FUNCTION,
        access: Access::Read,
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
        access: Access::Change,
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
            P::UploadNotFound,
        ],
    },
    Route {
        action: Action::UpdateFunction,
        method: "PATCH",
        path: FUNCTION,
        access: Access::Change,
        summary: "Changes what the merge patch names; 200 if that changes nothing.",
        parameters: &["functionName", "If-Match", "wait", "dryRun", "Idempotency-Key"],
        body: Some("FunctionPatch"),
        answers: &[(200, "FunctionOrPlan"), (202, "Operation"), (204, "")],
        problems: &[
            P::FunctionNotFound,
            P::NeverAvailable,
            P::PreconditionFailed,
            P::UploadNotFound,
        ],
    },
    Route {
        action: Action::DeleteFunction,
        method: "DELETE",
        path: FUNCTION,
        access: Access::Change,
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
        access: Access::Change,
        summary: "Brings AWS back to what is recorded; where a create could not be undone, finishes undoing it.",
        parameters: &["functionName", "If-Match", "wait", "dryRun", "Idempotency-Key"],
        body: None,
        answers: &[(200, "FunctionOrPlan"), (202, "Operation"), (204, "")],
        problems: &[P::FunctionNotFound, P::PreconditionFailed, P::InvalidFunction],
    },
    Route {
        action: Action::RollBackFunction,
        method: "POST",
        path: "/v1/functions/{functionName}/rollback",
        access: Access::Change,
        summary: "Takes a function back to an earlier revision: its callers first, at once where its version is kept.",
        parameters: &["functionName", "If-Match", "wait", "dryRun", "Idempotency-Key"],
        body: Some("RollbackRequest"),
        answers: &[(200, "FunctionOrPlan"), (202, "Operation"), (204, "")],
        problems: &[
            P::FunctionNotFound,
            P::RevisionNotFound,
            P::PreconditionFailed,
            P::NeverAvailable,
        ],
    },
    Route {
        action: Action::CompareFunction,
        method: "GET",
        path: "/v1/functions/{functionName}/drift",
        access: Access::Read,
        summary: "Compares a function with AWS, now.",
        parameters: &["functionName"],
        body: None,
        answers: &[(200, "DriftReport")],
        problems: &[P::FunctionNotFound],
    },
    Route {
        action: Action::DescribeCode,
        method: "GET",
        path: "/v1/functions/{functionName}/code",
        access: Access::Change,
        summary: "Tells a link to a function's code, or that of one of its revisions, good for 15 minutes.",
        parameters: &["functionName", "revision"],
        body: None,
        answers: &[(200, "CodeLink")],
        problems: &[P::FunctionNotFound, P::RevisionNotFound],
    },
    Route {
        action: Action::ListRevisions,
        method: "GET",
        path: "/v1/functions/{functionName}/revisions",
        access: Access::Read,
        summary: "Lists a function's revisions that are kept, newest first.",
        parameters: &["functionName", "limit", "nextToken"],
        body: None,
        answers: &[(200, "RevisionList")],
        problems: &[P::FunctionNotFound, P::InvalidNextToken],
    },
    Route {
        action: Action::DescribeRevision,
        method: "GET",
        path: "/v1/functions/{functionName}/revisions/{revision}",
        access: Access::Read,
        summary: "Describes a revision: what the function was.",
        parameters: &["functionName", "revisionNumber"],
        body: None,
        answers: &[(200, "Revision")],
        problems: &[P::FunctionNotFound, P::RevisionNotFound],
    },
    Route {
        action: Action::ListOperations,
        method: "GET",
        path: "/v1/functions/{functionName}/operations",
        access: Access::Read,
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
        access: Access::Read,
        summary: "Describes an operation: as it is, or once it has ended.",
        parameters: &["functionName", "operationId", "steps", "wait"],
        body: None,
        answers: &[(200, "Operation")],
        problems: &[P::FunctionNotFound, P::OperationNotFound],
    },
    Route {
        action: Action::CancelOperation,
        method: "POST",
        path: "/v1/functions/{functionName}/operations/{operationId}/cancel",
        access: Access::Change,
        summary: "Stops an operation whose callers have not moved, and undoes what it has changed.",
        parameters: &["functionName", "operationId"],
        body: None,
        answers: &[(202, "Operation")],
        problems: &[P::FunctionNotFound, P::OperationNotFound, P::NotCancellable],
    },
    Route {
        action: Action::CreateUpload,
        method: "POST",
        path: "/v1/uploads",
        access: Access::Change,
        summary: "Tells where to put an archive that is too large for a request, once and within 15 minutes.",
        parameters: &[],
        body: Some("UploadRequest"),
        answers: &[(201, "Upload")],
        problems: &[],
    },
    Route {
        action: Action::DescribeApi,
        method: "GET",
        path: "/v1/openapi.json",
        access: Access::Read,
        summary: "This document.",
        parameters: &[],
        body: None,
        answers: &[(200, "Document")],
        problems: &[],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_route_has_one_row() {
        let keys: BTreeSet<_> = ROUTES.iter().map(Route::key).collect();
        let actions: BTreeSet<_> = ROUTES.iter().map(|it| format!("{:?}", it.action)).collect();
        assert_eq!((keys.len(), actions.len()), (ROUTES.len(), ROUTES.len()));
    }

    #[test]
    fn what_only_reads_is_a_get_and_what_changes_is_none() {
        // A plan is asked for with the functions that it is of.
        let plan = |route: &&Route| !matches!(route.action, Action::PlanFunctions);
        for route in ROUTES.iter().filter(plan) {
            // It changes nothing, but hands out what no other answer shows: the code.
            let access = match route.action {
                Action::DescribeCode => Access::Read,
                _ => route.access,
            };
            assert_eq!(route.method != "GET", access == Access::Change, "{}", route.key());
        }
    }
}

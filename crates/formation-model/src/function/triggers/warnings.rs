//! What of a change of triggers cannot be undone.

use super::super::FunctionSpec;
use crate::triggers::{EventSource, SourceKind};
use crate::warning::{Warning, WarningCode};

impl<Code> FunctionSpec<Code> {
    /// What of a change from `former` is accepted and cannot be undone, whatever comes later.
    pub fn warnings_of_change<Other>(&self, former: &FunctionSpec<Other>) -> Vec<Warning> {
        let (own, its) = (&self.triggers, &former.triggers);
        let mut warnings = Vec::new();
        if own.function_url.is_none() && its.function_url.is_some() {
            let detail = "the function's address goes, once all else is done; one that is made later is another, \
                          also by a rollback";
            let code = WarningCode::AddressLost;
            warnings.push(Warning::new("/functionUrl", code, detail.to_owned()));
        }
        let is_stream =
            |it: &EventSource| it.kind().is_some_and(|kind: SourceKind| !kind.is_queue());
        let found = |of: &[EventSource], arn: &str| of.iter().find(|it| it.arn == arn).cloned();
        let gone: Vec<_> = its
            .event_sources
            .iter()
            .filter(|it| found(&own.event_sources, &it.arn).is_none())
            .collect();
        let mut replaced = gone.iter();
        for (place, source) in own.event_sources.iter().enumerate() {
            let at = format!("/eventSources/{place}");
            match found(&its.event_sources, &source.arn) {
                Some(it) if it.starting_position != source.starting_position => {
                    let detail = "a stream keeps its startingPosition, so its mapping goes and is made anew: it is \
                                  read from there, whatever was read before";
                    let at = format!("{at}/startingPosition");
                    warnings.push(Warning::new(&at, WarningCode::PositionLost, detail.to_owned()));
                }
                Some(_) => {}
                None => {
                    if let Some(it) = replaced.next() {
                        let detail = format!(
                            "a source keeps its ARN, so this one is made, and {} is read no more once all else is \
                             done",
                            it.arn
                        );
                        let at = format!("{at}/arn");
                        warnings.push(Warning::new(&at, WarningCode::SourceReplaced, detail));
                    }
                }
            }
        }
        for it in gone.into_iter().filter(|it| is_stream(it)) {
            let detail = format!(
                "{} is read no more: where reading had come to is forgotten, and if it is a source again, it is read \
                 from its startingPosition",
                it.arn
            );
            warnings.push(Warning::new("/eventSources", WarningCode::PositionLost, detail));
        }
        warnings
    }
}

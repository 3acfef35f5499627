//! What is read of the XML that services with the Query protocol answer.

use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError, try_data};
use bytes::Bytes;

use super::AwsError;

/// An answer in XML.
#[derive(Clone)]
pub struct Xml {
    service: &'static str,
    document: Bytes,
}

impl Xml {
    pub(super) fn new(service: &'static str, document: Bytes) -> Self {
        Self { service, document }
    }

    /// The texts of all elements that are reached by these names from the root, which is not named.
    ///
    /// # Errors
    /// [`AwsError::Unreadable`].
    pub fn texts(&self, path: &[&str]) -> Result<Vec<String>, AwsError> {
        texts(&self.document, path).map_err(|_| AwsError::Unreadable(self.service))
    }

    /// The first of them; an empty text where there is none.
    ///
    /// # Errors
    /// [`AwsError::Unreadable`].
    pub fn text(&self, path: &[&str]) -> Result<String, AwsError> {
        Ok(self.texts(path)?.into_iter().next().unwrap_or_default())
    }
}

/// See [`Xml::texts`].
pub(super) fn texts(document: &[u8], path: &[&str]) -> Result<Vec<String>, XmlDecodeError> {
    let mut document = Document::try_from(document)?;
    let mut found = Vec::new();
    collect(&mut document.root_element()?, path, &mut found)?;
    Ok(found)
}

fn collect(
    element: &mut ScopedDecoder<'_, '_>,
    path: &[&str],
    found: &mut Vec<String>,
) -> Result<(), XmlDecodeError> {
    let Some((name, rest)) = path.split_first() else {
        found.push(try_data(element)?.into_owned());
        return Ok(());
    };
    while let Some(mut inner) = element.next_tag() {
        if inner.start_el().local() == *name {
            collect(&mut inner, rest, found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_by_their_path_and_nothing_else() {
        let document = br#"<?xml version="1.0"?>
<ListRolePoliciesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
  <ListRolePoliciesResult>
    <PolicyNames><member>a&amp;b</member><member/><other>x</other></PolicyNames>
    <PolicyNames><member>c</member></PolicyNames>
    <IsTruncated>false</IsTruncated>
  </ListRolePoliciesResult>
  <ResponseMetadata><member>no</member></ResponseMetadata>
</ListRolePoliciesResponse>"#;
        let xml = Xml::new("iam", Bytes::from_static(document));
        let names = xml.texts(&["ListRolePoliciesResult", "PolicyNames", "member"]).unwrap();
        assert_eq!(names, ["a&b", "", "c"]);
        assert_eq!(xml.text(&["ListRolePoliciesResult", "IsTruncated"]).unwrap(), "false");
        assert_eq!(xml.text(&["ListRolePoliciesResult", "Marker"]).unwrap(), "");
        for broken in ["", "{}", "no xml"] {
            let xml = Xml::new("iam", Bytes::from(broken));
            assert!(matches!(xml.text(&["a"]), Err(AwsError::Unreadable("iam"))), "{broken}");
        }
    }
}

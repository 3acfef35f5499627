//! Links to the bucket for those who have no credentials for it: requests that are signed here and sent
//! by whoever has them. They are secrets, and nothing logs them.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::presigning::PresigningConfig;
use formation_aws::AwsError;
use formation_model::names::upload_key;
use formation_model::{Bundle, CodeLink, Upload, UploadId, UploadRequest};
use jiff::Timestamp;

use super::{BundleState, Bundles};
use crate::caller::Caller;
use crate::refusal::Refusal;

/// How long a link is good for, unless the credentials that have signed it end before: the environment
/// of a Lambda does not tell when they do.
const LINK_GOOD_FOR: Duration = Duration::from_secs(15 * 60);

/// What is signed of an upload besides the host, which whoever sends it takes from the URL. The SDK has
/// headers of its own that nobody has to send, such as the trace's of this very invocation.
const SIGNED: [&str; 5] =
    ["content-length", "content-type", "if-none-match", "x-amz-checksum-sha256", "x-amz-tagging"];

impl Bundles {
    /// Where `caller` can put the archive of `request`. The signature is over its length, its digest
    /// and `If-None-Match: *`: S3 takes these very bytes, and takes them once.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: there are no credentials to sign with.
    pub(crate) async fn offer(
        &self,
        request: &UploadRequest,
        caller: &Caller,
    ) -> Result<Upload, Refusal> {
        let upload_id = UploadId::generate();
        let (validity, expires_at) = from_now()?;
        let length = i64::try_from(request.size_bytes);
        let signed = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(upload_key(caller.identity(), upload_id))
            .content_type("application/zip")
            .set_content_length(length.ok())
            .checksum_sha256(&request.sha256)
            .tagging(BundleState::Pending.as_query())
            .if_none_match("*")
            .presigned(validity)
            .await
            .map_err(|error| AwsError::new("s3:PutObject", error))?;
        let headers = signed.headers().map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        Ok(Upload {
            upload_id,
            method: signed.method().to_owned(),
            url: signed.uri().to_owned(),
            headers: headers.filter(|(name, _)| SIGNED.contains(&name.as_str())).collect(),
            expires_at,
        })
    }

    /// Where the code of a bundle can be fetched from.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: there are no credentials to sign with.
    pub(crate) async fn link(&self, bundle: &Bundle) -> Result<CodeLink, Refusal> {
        let (validity, expires_at) = from_now()?;
        let signed = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(&bundle.key)
            .version_id(&bundle.version)
            .presigned(validity)
            .await
            .map_err(|error| AwsError::new("s3:GetObjectVersion", error))?;
        let Bundle { sha256, size_bytes, .. } = bundle.clone();
        Ok(CodeLink { url: signed.uri().to_owned(), expires_at, sha256, size_bytes })
    }
}

/// For how long a link is made now, and until when that is.
fn from_now() -> Result<(PresigningConfig, Timestamp), Refusal> {
    let unusable = |_| Refusal::Record("the clock cannot be read".to_owned());
    let now = SystemTime::now();
    let validity = PresigningConfig::builder().start_time(now).expires_in(LINK_GOOD_FOR).build();
    let validity =
        validity.map_err(|error| Refusal::Record(format!("a link cannot be signed: {error}")))?;
    Ok((validity, Timestamp::try_from(now + LINK_GOOD_FOR).map_err(unusable)?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use aws_sdk_s3::Client;
    use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region};

    use super::*;

    const SHA256: &str = "u2uSVuWTpoUaWT5wQSM6ea7SCx6UZ334J+b8zM8fs1c=";

    fn bundles() -> Bundles {
        let credentials = Credentials::new("AKID", "s3cr3t", Some("t0ken".into()), None, "a test");
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(credentials)
            .build();
        Bundles::new(Client::from_conf(config), "artifacts", "111122223333", Vec::new())
    }

    /// Host and path of a URL, and its query.
    fn parts(url: &str) -> (&str, BTreeMap<&str, &str>) {
        let (place, query) = url.split_once('?').unwrap();
        (place, query.split('&').map(|pair| pair.split_once('=').unwrap()).collect())
    }

    /// Whether a link is good for about 15 minutes.
    fn ends_in_time(expires_at: Timestamp) -> bool {
        let left = expires_at.duration_since(Timestamp::now()).as_secs();
        (840..=900).contains(&left)
    }

    #[tokio::test]
    async fn what_is_put_by_a_link_is_settled_by_its_signature() {
        let caller = Caller::new("arn:aws:iam::111122223333:user/ann");
        let request = UploadRequest { size_bytes: 41_943_040, sha256: SHA256.to_owned() };
        let upload = bundles().offer(&request, &caller).await.unwrap();
        let (place, query) = parts(&upload.url);
        let key = upload_key(caller.identity(), upload.upload_id);
        assert_eq!(place, format!("https://artifacts.s3.eu-west-1.amazonaws.com/{key}"));
        assert_eq!(
            query["X-Amz-SignedHeaders"],
            "content-length%3Bcontent-type%3Bhost%3Bif-none-match%3Bx-amz-checksum-sha256%3B\
             x-amz-tagging"
        );
        assert_eq!(query["X-Amz-Expires"], "900");
        assert!(!upload.url.to_lowercase().contains("crc32"), "{}", upload.url);
        let headers = [
            ("content-length", "41943040"),
            ("content-type", "application/zip"),
            ("if-none-match", "*"),
            ("x-amz-checksum-sha256", SHA256),
            ("x-amz-tagging", "state=pending"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(upload.headers, headers.into());
        assert_eq!(upload.method, "PUT");
        assert!(ends_in_time(upload.expires_at), "{}", upload.expires_at);
        let again = bundles().offer(&request, &caller).await.unwrap();
        assert_ne!(again.upload_id, upload.upload_id, "an id is given once");
    }

    #[tokio::test]
    async fn a_link_to_code_leads_to_its_very_version_and_needs_no_header() {
        let bundle = Bundle {
            sha256: SHA256.to_owned(),
            size_bytes: 158,
            key: "bundles/hello/1.zip".to_owned(),
            version: "v1".to_owned(),
            inline: true,
        };
        let link = bundles().link(&bundle).await.unwrap();
        let (place, query) = parts(&link.url);
        assert_eq!(place, "https://artifacts.s3.eu-west-1.amazonaws.com/bundles/hello/1.zip");
        assert_eq!((query["versionId"], query["X-Amz-SignedHeaders"]), ("v1", "host"));
        assert_eq!(query["X-Amz-Expires"], "900");
        assert_eq!((link.sha256.as_str(), link.size_bytes), (SHA256, 158));
        assert!(ends_in_time(link.expires_at), "{}", link.expires_at);
    }

    #[tokio::test]
    async fn an_upload_is_a_roles_own_in_every_session() {
        let request = UploadRequest { size_bytes: 1, sha256: SHA256.to_owned() };
        // Up to the id, which differs each time.
        let folder = async |caller: &str| {
            let upload = bundles().offer(&request, &Caller::new(caller)).await.unwrap();
            let (place, _) = parts(&upload.url);
            place.strip_suffix(&format!("/{}.zip", upload.upload_id)).unwrap().to_owned()
        };
        let role = "arn:aws:sts::111122223333:assumed-role";
        let monday = folder(&format!("{role}/deployer/monday")).await;
        assert_eq!(folder(&format!("{role}/deployer/tuesday")).await, monday);
        assert_ne!(folder(&format!("{role}/other/monday")).await, monday);
    }
}

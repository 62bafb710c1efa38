//! The SDK signs as we do.
#![allow(clippy::unwrap_used)]

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_sdk_s3::presigning::PresigningConfig;

use super::*;

/// Keys as datastores make them, and as they do not.
const KEYS: [&str; 14] = [
    "plain",
    "a/run/20260102T030405Z/image/i_05/image_LSSTCam_i_05_v1_R22_S11.fits",
    "u/some+one/a b",
    "100%/%20/%2F",
    "naïve/日本/🔭",
    "a//b/./c/../d",
    "/leading",
    "trailing/",
    "!\"#$&'()*,:;<=>?@[\\]^`{|}~-._",
    "tab\tnew\nline",
    "=&=&",
    "x?versionId=1",
    "..",
    "é",
];

const TIMES: [u64; 4] = [0, 1_582_934_399, 1_582_934_400, 4_102_444_800];

fn credentials(token: Option<&str>) -> Credentials {
    let token = token.map(str::to_owned);
    Credentials::new("AKIA/ID+1=", "secret/with+odd=signs", token, None, "test")
}

struct Signers {
    client: Client,
    presigner: Presigner,
}

impl Signers {
    fn new(token: Option<&str>, endpoint: Option<&str>, region: &'static str) -> Self {
        let credentials = credentials(token);
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(credentials.clone())
            .region(Region::from_static(region))
            .force_path_style(endpoint.is_some());
        if let Some(endpoint) = endpoint {
            config = config.endpoint_url(endpoint);
        }
        let provider = SharedCredentialsProvider::new(credentials);
        Self {
            client: Client::from_conf(config.build()),
            presigner: Presigner::new(CachedCredentials::new(provider)),
        }
    }

    async fn by_sdk(&self, bucket: &str, key: &str, at: SystemTime, lasts: Duration) -> String {
        let validity = PresigningConfig::builder().start_time(at).expires_in(lasts);
        let request = self.client.get_object().bucket(bucket).key(key);
        let signed = request.presigned(validity.build().unwrap()).await.unwrap();
        signed.uri().to_owned()
    }
}

#[tokio::test]
async fn addresses_are_those_of_the_sdk() {
    let token = "AQoDYXdz//+token=with&odd signs";
    for (token, endpoint, region, bucket) in [
        (None, Some("http://127.0.0.1:9000"), "us-east-1", "bucket"),
        (
            Some(token),
            Some("https://s3.example:8443"),
            "eu-west-3",
            "b.u-c_k",
        ),
        (
            None,
            Some("https://s3.example/below/"),
            "us-east-1",
            "bucket",
        ),
        (Some(token), None, "us-west-2", "bucket"),
        (None, None, "us-east-1", "dotted.bucket"),
    ] {
        let signers = Signers::new(token, endpoint, region);
        let (at, lasts) = (UNIX_EPOCH, Duration::from_secs(1));
        let first = signers.by_sdk(bucket, "first key", at, lasts).await;
        let presigner = &signers.presigner;
        let learnt = presigner
            .learn(bucket, "first key", &first, at, lasts)
            .await;
        let learnt = learnt.unwrap_or_else(|| panic!("{first}"));
        assert_eq!(presigner.bucket(bucket), Some(Some(Arc::clone(&learnt))));
        for key in KEYS {
            for time in TIMES {
                let at = UNIX_EPOCH + Duration::from_secs(time);
                for lasts in [1, 3600, 604_800].map(Duration::from_secs) {
                    let own = presigner.sign(SignatureVersion::V4, &learnt, key, at, lasts);
                    let sdk = signers.by_sdk(bucket, key, at, lasts).await;
                    assert_eq!(own.await.unwrap(), sdk);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_bucket_that_is_signed_for_in_another_way_is_left_to_the_sdk() {
    let signers = Signers::new(None, Some("http://127.0.0.1:9000"), "us-east-1");
    let (at, lasts) = (UNIX_EPOCH, Duration::from_secs(1));
    let address = signers.by_sdk("bucket", "key", at, lasts).await;
    for other in [
        address.replace("x-id", "x-other"),
        address.replace("SHA256", "SHA512"),
        "nonsense".to_owned(),
    ] {
        let presigner = &signers.presigner;
        assert_eq!(
            presigner.learn("bucket", "key", &other, at, lasts).await,
            None
        );
        assert_eq!(presigner.bucket("bucket"), Some(None));
    }
}

/// The example of Amazon's documentation of Signature Version 2, "query string request
/// authentication".
#[tokio::test]
async fn version_2_is_as_amazon_has_it() {
    let keys = Credentials::new(
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        None,
        None,
        "test",
    );
    let provider = SharedCredentialsProvider::new(keys);
    let presigner = Presigner::new(CachedCredentials::new(provider));
    let bucket = Bucket {
        name: "johnsmith".to_owned(),
        origin: "https://johnsmith.s3.amazonaws.com".to_owned(),
        host: "johnsmith.s3.amazonaws.com".to_owned(),
        path: "/".to_owned(),
        region: "us-west-1".to_owned(),
    };
    let at = UNIX_EPOCH + Duration::from_secs(1_175_139_000);
    let lasts = Duration::from_secs(620);
    let signed = presigner.sign(SignatureVersion::V2, &bucket, "photos/puppy.jpg", at, lasts);
    let expected = "https://johnsmith.s3.amazonaws.com/photos/puppy.jpg\
        ?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D\
        &Expires=1175139620";
    assert_eq!(signed.await.unwrap(), expected);
}

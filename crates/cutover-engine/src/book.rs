//! Making releases: what equals what, and what is remembered of secrets.

use std::collections::BTreeMap;
use std::path::Path;

use cutover_core::id::ReleaseId;
use cutover_core::release::{Release, ReleaseName};
use cutover_core::spec::Spec;
use cutover_core::units::At;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::api::{DeployRequest, Refused, RefusedKind};
use crate::journal::PrunedRelease;

/// The key that digests of secrets are made with: without it they could be guessed.
#[derive(Clone)]
pub(crate) struct DigestKey(Vec<u8>);

impl std::fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DigestKey(..)")
    }
}

impl DigestKey {
    /// Reads the key of this state folder, or makes one.
    ///
    /// # Errors
    /// Where it can neither be read nor made.
    pub(crate) fn load(state: &Path) -> Result<DigestKey, Refused> {
        let path = state.join("digest.key");
        let failed = |what: &str| Refused {
            kind: RefusedKind::Internal,
            message: format!("cannot {what} {}", path.display()),
            help: Some("check the permissions of the state folder".to_owned()),
        };
        match std::fs::read(&path) {
            Ok(key) if key.len() == 32 => Ok(DigestKey(key)),
            Ok(_) => Err(failed("use the damaged key")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut key = vec![0; 32];
                getrandom::fill(&mut key).map_err(|_| failed("find randomness for"))?;
                cutover_files::write_atomic(&path, &key).map_err(|_| failed("write"))?;
                Ok(DigestKey(key))
            }
            Err(_) => Err(failed("read")),
        }
    }

    /// A key that everybody knows.
    pub(crate) fn unkeyed() -> DigestKey {
        DigestKey(vec![0; 32])
    }

    fn digest(&self, content: &[u8]) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(content);
        hex(&mac.finalize().into_bytes())
    }

    /// The keyed digest of each secret of a spec as it is now; what cannot be read is left out, the
    /// platform's preflight tells.
    #[must_use]
    pub(crate) fn secrets(&self, spec: &Spec, base: &Path) -> BTreeMap<String, String> {
        let digest = |(name, secret): (&String, &cutover_core::spec::Secret)| {
            let content = std::fs::read(base.join(&secret.file)).ok()?;
            Some((name.clone(), self.digest(&content)))
        };
        spec.release.secrets.iter().filter_map(digest).collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The release that a request asks for: a known one with the same version and content, or a new
/// one (`true`). One that was pruned is made new under its old name.
#[must_use]
pub(crate) fn release_for(
    request: &DeployRequest,
    known: &[Release],
    pruned: &BTreeMap<ReleaseId, PrunedRelease>,
    key: &DigestKey,
    now: At,
) -> (Release, bool) {
    let digest = digest(request);
    let same_version = || known.iter().filter(|release| release.version == request.version);
    if let Some(release) = same_version().find(|release| release.digest == digest) {
        // How it is rolled out may have changed; what it is has not.
        return (Release { spec: request.spec.clone(), ..release.clone() }, false);
    }
    let mut names: Vec<ReleaseName> = known.iter().map(Release::name).collect();
    names.extend(pruned.values().map(|gone| gone.name.clone()));
    let same = |name: &&ReleaseName| name.version == request.version;
    let again = pruned.values().find(|gone| same(&&gone.name) && gone.digest == digest);
    let id = names.iter().map(|name| name.id.0).max().unwrap_or(0) + 1;
    let ordinal = names.iter().filter(same).map(|name| name.ordinal).max().unwrap_or(0) + 1;
    let (id, ordinal) =
        again.map_or((ReleaseId(id), ordinal), |gone| (gone.name.id, gone.name.ordinal));
    let release = Release {
        id,
        version: request.version.clone(),
        ordinal,
        digest,
        spec: request.spec.clone(),
        base: request.base.clone(),
        passed: request.passed.clone(),
        secrets: key.secrets(&request.spec, &request.base),
        made: now,
    };
    (release, true)
}

/// What makes two releases of one version equal: everything an instance is made of and reached
/// by. How many there are and how they are rolled out is left out.
fn digest(request: &DeployRequest) -> String {
    let spec = &request.spec;
    let content = serde_json::json!({
        "platform": spec.platform, "listen": spec.listen, "host": spec.host, "path": spec.path,
        "release": spec.release, "health": spec.health, "base": request.base,
        "passed": request.passed,
    });
    hex(&Sha256::digest(content.to_string().as_bytes()))
}

//! How a source lets us in: one header, made of secrets in files.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use cutover_core::spec::Auth;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};

use super::files;
use super::unread::Unread;

/// A header to be let in by.
#[derive(Debug)]
pub(super) struct Entrance {
    pub(super) name: HeaderName,
    /// Marked as sensitive: it is not shown.
    pub(super) value: HeaderValue,
}

/// Reads what lets us in, as the files are now; adds what no message may show to `secrets`.
pub(super) async fn entrance(
    auth: &Auth,
    base: &Path,
    secrets: &mut Vec<String>,
) -> Result<Option<Entrance>, Unread> {
    let (name, text, file) = if let Some(header) = &auth.header {
        let value = files::secret(base, &header.file, "the header's value").await?;
        secrets.push(value.clone());
        let name = HeaderName::from_bytes(header.name.as_bytes())
            .map_err(|_| Unread::new(format!("{:?} is not the name of a header", header.name)))?;
        (name, value, &header.file)
    } else if let Some(basic) = &auth.basic {
        let password = files::secret(base, &basic.password_file, "the password").await?;
        let both = BASE64_STANDARD.encode(format!("{}:{password}", basic.user));
        secrets.extend([password, both.clone()]);
        (AUTHORIZATION, format!("Basic {both}"), &basic.password_file)
    } else if let Some(file) = &auth.bearer_file {
        let token = files::secret(base, file, "the bearer token").await?;
        secrets.push(token.clone());
        (AUTHORIZATION, format!("Bearer {token}"), file)
    } else {
        return Ok(None);
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| {
        Unread::new(format!("what is in {} cannot be sent in a header", file.display()))
    })?;
    value.set_sensitive(true);
    Ok(Some(Entrance { name, value }))
}

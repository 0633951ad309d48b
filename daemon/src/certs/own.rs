//! A certificate from the configuration, followed when its files change.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rustls::sign::CertifiedKey;

use super::{Error, files, leaf};

/// Two files that somebody else renews (certbot, say).
pub(super) struct Own {
    certificate: PathBuf,
    key: PathBuf,
    /// The text of both that was loaded last.
    loaded: Mutex<Option<(String, String)>>,
}

impl Own {
    pub(super) fn new(certificate: PathBuf, key: PathBuf) -> Self {
        Self { certificate, key, loaded: Mutex::default() }
    }

    /// The certificate in the files; the present one where they have not changed.
    ///
    /// Who renews them may write one after the other: in between they do not belong together, which is an error,
    /// and the next look finds them whole. The permissions are the owner's business here.
    pub(super) fn refresh(&self, present: Option<&Arc<CertifiedKey>>) -> Result<Arc<CertifiedKey>, Error> {
        let read = |path: &PathBuf| files::read(path)?.ok_or_else(|| Error::broken(path, "there is no such file"));
        let texts = (read(&self.certificate)?, read(&self.key)?);
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(present) = present
            && loaded.as_ref() == Some(&texts)
        {
            return Ok(Arc::clone(present));
        }
        let key = leaf::certified(&self.certificate, &texts.0, &texts.1)?;
        *loaded = Some(texts);
        Ok(Arc::new(key))
    }
}

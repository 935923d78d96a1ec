//! What the token may do here, and whether that is enough for what is about to be sent: what must
//! fail is not sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Reach;
use crate::api::permission::{MissingPrivileges, PermissionCheck};
use crate::api::request::Request;
use crate::api::schema::Schema;
use crate::error::{Code, Error, Happened};
use crate::fleet::permissions::TokenPermissions;
use crate::fleet::visibility::TokenVisibility;
use crate::gate::privileges::permission_check;
use crate::proxmox::advice;

impl Reach<'_> {
    /// What the token may do here, asked for now: an answer must not call a list whole by what was so
    /// a minute ago.
    ///
    /// # Errors
    /// As [`Reach::send`].
    pub fn permissions(&self) -> Result<Arc<TokenPermissions>, Error> {
        self.fleet.permissions_now(self.admitted.cluster)
    }

    /// What the token sees here; asked once a minute at most.
    ///
    /// # Errors
    /// As [`Reach::send`].
    pub fn visibility(&self) -> Result<TokenVisibility, Error> {
        self.fleet.visibility(self.admitted.cluster)
    }

    /// Refuses a write for which the token has not what the cluster will ask for.
    ///
    /// What the token holds is read once a minute as a whole, and by that most calls are seen to be
    /// allowed. Only one that is not is asked about on the paths in question, where the cluster
    /// decides by itself what it would decide later, and is refused by that answer. Whatever is not
    /// certain is sent.
    ///
    /// # Errors
    /// [`Code::Permission`] with the commands that grant what is missing; the cluster is not reached;
    /// the call was withdrawn.
    pub(super) fn permit(&self, request: &Request) -> Result<(), Error> {
        match self.lacking(request) {
            Ok(None) => Ok(()),
            Ok(Some(error)) => Err(error),
            Err(error) if matches!(error.code, Code::Cancelled | Code::ClusterConnection) => {
                Err(error)
            }
            // The cluster does not say: then it says it to the request itself.
            Err(_) => Ok(()),
        }
    }

    /// Why a request must fail, where that is certain.
    fn lacking(&self, request: &Request) -> Result<Option<Error>, Error> {
        let schema = self.fleet.schema_at_hand(self.admitted.cluster)?;
        let schema = schema.as_deref();
        if !is_judged(request, schema) {
            return Ok(None);
        }
        let permissions = self.fleet.permissions(self.admitted.cluster)?;
        let first = permission_check(request, schema, &mut |path, privilege| {
            Ok(permissions.holds(path, privilege))
        })?;
        if !must_fail(&first) {
            return Ok(None);
        }
        // The cluster may have been upgraded, or the token given more.
        let now = match schema {
            Some(_) => self.fleet.schema_now(self.admitted.cluster)?,
            None => None,
        };
        let mut known: BTreeMap<String, TokenPermissions> = BTreeMap::new();
        let second = permission_check(request, now.as_deref(), &mut |path, privilege| {
            if let Some(permissions) = known.get(path) {
                return Ok(permissions.holds(path, privilege));
            }
            let permissions = self.fleet.permissions_on(self.admitted.cluster, path)?;
            let holds = permissions.holds(path, privilege);
            known.insert(path.to_string(), permissions);
            Ok(holds)
        })?;
        if !must_fail(&second) {
            self.fleet.forget_permissions(self.admitted.cluster);
            return Ok(None);
        }
        self.denied(request, second).map(Some)
    }

    fn denied(&self, request: &Request, check: PermissionCheck) -> Result<Error, Error> {
        let line = request.line();
        let (message, hint) = match check {
            PermissionCheck::Lacks(lacks) => {
                let named: Vec<String> = lacks.iter().map(MissingPrivileges::to_string).collect();
                let token_id = &self.cluster()?.settings.token_id;
                (
                    format!("`{line}` needs {}", named.join(", and ")),
                    Some(advice::grant_lacks(token_id, &lacks)),
                )
            }
            _ => (
                format!("`{line}` takes no API token, but a login with a password"),
                None,
            ),
        };
        let sentence = format!("the token would be refused: {message}");
        let (code, cluster) = (Code::Permission, self.cluster_name());
        let mut error = Error::new(code, Happened::Nothing, cluster, sentence);
        error.hint = hint;
        Ok(error)
    }
}

fn must_fail(check: &PermissionCheck) -> bool {
    matches!(check, PermissionCheck::Lacks(_) | PermissionCheck::NoToken)
}

/// Whether a token without any privilege would be refused: otherwise nothing has to be read.
fn is_judged(request: &Request, schema: Option<&Schema>) -> bool {
    let bare = permission_check(request, schema, &mut |_, _| Ok(false));
    bare.is_ok_and(|check| must_fail(&check))
}

//! Lists of what clusters have: the rows of all that are asked, in the order that is asked for, and what may
//! be missing among them.

use serde_json::{Map, Value};

use super::cut;
use super::gaps::VisibilityGaps;
use crate::error::Error;
use crate::gate::reach::{FleetReach, Reach};
use crate::tool::args::Args;
use crate::tool::order::SortOrder;
use crate::tool::rows::{self, Row};

/// What one cluster has.
#[derive(Default)]
pub struct ListedRows {
    /// In their usual order.
    pub rows: Vec<Row>,
    /// Nodes that are not online, of which what is listed was true when they were last heard of.
    pub offline: Vec<String>,
    /// What the token may not see.
    pub unseen: Vec<String>,
}

/// What all of them have.
pub struct Gathered {
    pub rows: Vec<Row>,
    offline: Vec<String>,
    gaps: VisibilityGaps,
}

impl Gathered {
    /// Asks each cluster, and puts the rows into the order of `sort`.
    ///
    /// # Errors
    /// A column or a cursor that there is not: nobody was asked. As [`FleetReach::ask`].
    pub fn of(
        reach: &FleetReach,
        args: &Args,
        columns: &[&str],
        of_cluster: fn(&Reach) -> Result<ListedRows, Error>,
    ) -> Result<Gathered, Error> {
        rows::check(args, columns)?;
        let mut gathered = Gathered {
            rows: Vec::new(),
            offline: Vec::new(),
            gaps: VisibilityGaps::default(),
        };
        for (cluster, listed) in reach.ask(of_cluster)? {
            gathered.rows.extend(listed.rows);
            let offline = listed.offline.into_iter();
            let offline = offline.map(|node| format!("{cluster}/{node}"));
            gathered.offline.extend(offline);
            gathered.gaps.add(cluster, listed.unseen);
        }
        if let Some(order) = SortOrder::of(args) {
            gathered.rows.sort_by_cached_key(|row| order.rank(row));
        }
        Ok(gathered)
    }

    /// The page that is asked for, with what may be missing.
    ///
    /// # Errors
    /// As [`rows::page`].
    pub fn page(self, columns: &[&str], args: &Args) -> Result<Map<String, Value>, Error> {
        let mut answer = rows::page(self.rows, columns, columns, args)?;
        if !self.offline.is_empty() {
            answer.insert("nodes_offline".into(), cut(self.offline).into());
        }
        self.gaps.name_in(&mut answer);
        Ok(answer)
    }
}

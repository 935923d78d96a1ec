//! Which recorded exchanges are excepted, each with its reason.

/// Id and reason.
pub(crate) const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "sdn-apply.status",
        "PUT /cluster/sdn is not modelled, so there is no task",
    ),
    (
        "sdn-apply.log",
        "PUT /cluster/sdn is not modelled, so there is no task",
    ),
];

/// Why a line of differences, which begins with its id, is excepted.
pub(crate) fn excuse(line: &str) -> Option<&'static str> {
    let id = line.split(' ').next().unwrap_or("");
    EXCEPTIONS
        .iter()
        .find(|(known, _)| *known == id)
        .map(|(_, reason)| *reason)
}

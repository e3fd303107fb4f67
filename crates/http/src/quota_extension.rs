use astranetmon_ratelimit::Quota;

/// The key's plan limit as it stands for this request; `None` inside if its plan has none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CurrentQuota(pub(crate) Option<Quota>);

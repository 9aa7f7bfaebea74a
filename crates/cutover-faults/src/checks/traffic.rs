//! What users met: no failed request but those that are explained, no order taken twice or lost.

use cutover_load::{Reason, duplicates, missing};

use crate::users::Account;

/// Failed requests that the fault explains: they were inside a process that was killed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Allowed {
    /// At most so many.
    pub(crate) failed: u64,
    /// Whose fault they would be.
    pub(crate) because: &'static str,
}

/// What should not have happened to users.
pub(crate) fn wrong_traffic(account: &Account, allowed: &Allowed) -> Vec<String> {
    let Account { report, orders } = account;
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    let Allowed { failed, because } = allowed;
    let why =
        if *failed > 0 { format!(", {failed} at most may be: {because}") } else { String::new() };
    must(report.failed.total <= *failed, format!("{} requests failed{why}", report.failed.total));
    let refused = report.failed.by_reason.get(&Reason::Refused).copied().unwrap_or_default();
    must(refused == 0, format!("{refused} connections were refused"));
    let own = report.failed.by_reason.get(&Reason::Own).copied().unwrap_or_default();
    must(own == 0, format!("the load itself had no room for {own} requests"));
    must(report.errors == 0, format!("{} answers were errors of the app", report.errors));
    must(report.rejected == 0, format!("{} answers were 4xx", report.rejected));
    must(report.unsent == 0, format!("{} requests could not be begun", report.unsent));
    must(report.under_way == 0, format!("{} requests never ended", report.under_way));
    must(report.posts.created > 0, "not one order was taken".to_owned());
    let twice = duplicates(orders);
    must(twice.is_empty(), format!("orders were taken twice: {}", twice.join(", ")));
    let lost = missing(orders, &report.posts.acknowledged);
    must(lost.is_empty(), format!("orders were acknowledged and are lost: {}", lost.join(", ")));
    wrong
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener};
    use std::time::Duration;

    use cutover_load::{Load, Settings};

    use super::*;

    async fn load(address: SocketAddr) -> Account {
        let mut settings = Settings::new(format!("http://{address}/").parse().unwrap());
        settings.rate = 50.0;
        settings.duration = Some(Duration::from_millis(100));
        let report = Load::start(settings).await.unwrap().finish().await;
        Account { report, orders: String::new() }
    }

    #[tokio::test]
    async fn requests_that_find_nobody_are_told_whatever_is_allowed() {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let account = load(nobody).await;
        assert!(account.report.failed.total > 0);
        let wrong = wrong_traffic(&account, &Allowed::default()).join("\n");
        assert!(wrong.contains("requests failed") && wrong.contains("refused"), "{wrong}");
        let allowed = Allowed { failed: 1000, because: "a test" };
        assert!(wrong_traffic(&account, &allowed).join("\n").contains("refused"));
    }

    #[tokio::test]
    async fn more_than_is_explained_and_every_number_that_is_off_are_told() {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut account = load(nobody).await;
        account.report.failed = Default::default();
        account.report.posts.created = 1;
        let said = |account: &Account, allowed| wrong_traffic(account, &allowed);
        assert_eq!(said(&account, Allowed::default()), Vec::<String>::new());
        account.report.failed.total = 3;
        account.report.failed.by_reason.insert(Reason::Reset, 3);
        assert_eq!(said(&account, Allowed { failed: 3, because: "x" }), Vec::<String>::new());
        assert_eq!(said(&account, Allowed { failed: 2, because: "x" }).len(), 1);
        account.report.failed = Default::default();
        account.orders = "a-1 v1\na-1 v2\n".to_owned();
        account.report.posts.acknowledged = vec!["a-1".to_owned(), "a-2".to_owned()];
        assert_eq!(said(&account, Allowed::default()).len(), 2);
        account.orders.clear();
        account.report.posts.acknowledged.clear();
        account.report.errors = 1;
        account.report.rejected = 1;
        account.report.unsent = 1;
        account.report.under_way = 1;
        account.report.posts.created = 0;
        assert_eq!(said(&account, Allowed::default()).len(), 5);
    }
}

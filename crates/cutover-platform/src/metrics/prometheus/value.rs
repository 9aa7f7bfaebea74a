//! A query with one result.

use cutover_core::metric::{Found, Reading};

use super::super::unread::Unread;
use super::answer::{Data, Point};
use super::api::{Api, Given};

/// Asks for the value as it is now.
pub(super) async fn read(api: &Api, query: &str) -> Result<Reading, Unread> {
    let Given { data, warnings } = api.now(query).await.map_err(|wrong| wrong.of(query))?;
    Ok(Reading { found: value(&data)?, warnings })
}

fn value(data: &Data) -> Result<Found, Unread> {
    let aggregate = "make one of them: with max(...), sum(...), or more labels";
    let point = match data {
        Data::Scalar(point) => Some(point),
        Data::Vector(series) => match series.as_slice() {
            [] => return Ok(Found::Nothing("no series matches the query".to_owned())),
            [one] => one.value.as_ref(),
            many => {
                let reason = format!("the query gives {} series in place of one", many.len());
                return Err(Unread::new(reason).help(aggregate));
            }
        },
        Data::Matrix(_) | Data::String(_) => None,
    };
    let Some(point) = point else {
        return Err(Unread::new("the query gives no number").help(aggregate));
    };
    let number = point.number().map(Found::Value);
    number.ok_or_else(|| Unread::new(format!("the query gives {}", text(point))))
}

fn text(Point(_, number): &Point) -> String {
    crate::local::printable(number, 40)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(data: &str) -> Result<Found, Unread> {
        value(&serde_json::from_str(data).unwrap())
    }

    #[test]
    fn one_finite_number_is_a_value_and_no_series_is_no_data() {
        let vector =
            |result: &str| given(&format!(r#"{{"resultType":"vector","result":[{result}]}}"#));
        let one = |number: &str| format!(r#"{{"metric":{{}},"value":[1,"{number}"]}}"#);
        assert_eq!(vector(&one("7.5")), Ok(Found::Value(7.5)));
        assert_eq!(given(r#"{"resultType":"scalar","result":[1,"3"]}"#), Ok(Found::Value(3.0)));
        assert!(matches!(vector(""), Ok(Found::Nothing(_))));
        for odd in ["NaN", "+Inf"] {
            assert!(vector(&one(odd)).unwrap_err().reason.contains(odd));
        }
        assert!(vector(&format!("{},{}", one("1"), one("2"))).is_err());
        assert!(vector(r#"{"metric":{},"histogram":[1,{}]}"#).is_err());
        assert!(given(r#"{"resultType":"matrix","result":[]}"#).is_err());
        assert!(given(r#"{"resultType":"string","result":[1,"x"]}"#).is_err());
    }
}

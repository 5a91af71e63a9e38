//! JSON in which no object names a member twice. serde_json keeps the last of them and says nothing, so that of two limits
//! or two addresses nobody knows which one holds (RFC 8259, 4: the behaviour is unpredictable).

use std::{cell::RefCell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The value, and the members that are there twice, as in `timing.quiet_time` or `product[0].code`.
///
/// # Errors
///
/// What is no JSON.
pub fn read(text: &[u8]) -> Result<(Value, Vec<String>), serde_json::Error> {
    let repeated = RefCell::default();
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Place { path: String::new(), repeated: &repeated }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok((value, repeated.into_inner()))
}

/// Where a value stands, and what was found twice so far.
struct Place<'a> {
    path: String,
    repeated: &'a RefCell<Vec<String>>,
}

impl<'a> Place<'a> {
    fn member(&self, name: &str) -> Self {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Place { path, repeated: self.repeated }
    }

    fn row(&self, row: usize) -> Self {
        Place { path: format!("{}[{row}]", self.path), repeated: self.repeated }
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = items.next_element_seed(self.row(rows.len()))? {
            rows.push(row);
        }
        Ok(Value::Array(rows))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let place = self.member(&name);
            let path = place.path.clone();
            let value = members.next_value_seed(place)?;
            if object.insert(name, value).is_some() {
                self.repeated.borrow_mut().push(path);
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn what_is_there_once_is_read_as_by_serde_json() {
        for text in [
            "null",
            "[]",
            r#"{"a": [1, -2, 3.5, 18446744073709551615, "\u00e5\n", true, null, {}], "b": {"a": {"a": false}}}"#,
        ] {
            let (value, repeated) = read(text.as_bytes()).unwrap();
            assert_eq!(value, serde_json::from_str::<Value>(text).unwrap());
            assert_eq!(repeated, Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_member_that_is_there_twice_is_named_with_its_place() {
        let text = r#"{"a": 1, "b": [{}, {"c": 1, "c": 1}], "\u0061": 2, "d": {"e": {"f": 1, "f": null, "f": 3}}}"#;
        let (_, repeated) = read(text.as_bytes()).unwrap();
        assert_eq!(repeated, ["b[1].c", "a", "d.e.f", "d.e.f"]);
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        for text in ["", "{", "{}{}", "[1,]", "{\"a\"}", "\u{feff}{}"] {
            let expected = serde_json::from_str::<Value>(text).unwrap_err().to_string();
            assert_eq!(read(text.as_bytes()).unwrap_err().to_string(), expected, "{text}");
        }
        let deep = [vec![b'['; 1_000], vec![b']'; 1_000]].concat();
        assert!(read(&deep).unwrap_err().to_string().starts_with("recursion limit exceeded"));
    }
}

use bytes::BytesMut;

use super::super::binary;
use super::*;

fn read(ty: Type, text: &str) -> Result<Value, String> {
    decode(ty, Format::Text, text.as_bytes()).map_err(|error| error.state.to_string())
}

#[test]
fn text_parameters_become_what_is_stored() {
    let stored = |text: &str| Ok(Value::Text(text.to_owned()));
    let table: &[(Type, &str, Result<Value, String>)] = &[
        (Type::BOOL, "on", Ok(Value::Integer(1))),
        (Type::BOOL, "F", Ok(Value::Integer(0))),
        (Type::BOOL, "maybe", Err("22P02".to_owned())),
        (Type::INT4, " 42 ", Ok(Value::Integer(42))),
        (Type::INT4, "4.2", Err("22P02".to_owned())),
        (Type::INT4, "2147483648", Err("22003".to_owned())),
        (Type::INT8, "99999999999999999999", Err("22003".to_owned())),
        (Type::FLOAT8, "1e3", Ok(Value::Real(1000.0))),
        (Type::FLOAT8, "one", Err("22P02".to_owned())),
        (Type::NUMERIC, "12.50", Ok(Value::Real(12.5))),
        (Type::NUMERIC, "7", Ok(Value::Integer(7))),
        (Type::NUMERIC, "0.12345678901234567890", stored("0.12345678901234567890")),
        (Type::BYTEA, "\\x00ff", Ok(Value::Blob(vec![0, 255]))),
        (Type::BYTEA, "a\\\\b\\001", Ok(Value::Blob(vec![b'a', b'\\', b'b', 1]))),
        (Type::BYTEA, "\\xzz", Err("22P02".to_owned())),
        (Type::new(oid::TIMESTAMPTZ), "2024-01-01 10:00+02", stored("2024-01-01 08:00:00")),
        (Type::new(oid::DATE), "2024-02-30", Err("22007".to_owned())),
        (
            Type::new(oid::UUID),
            "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}",
            stored("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ),
        (Type::new(oid::INT4_ARRAY), "{1,2}", stored("{1,2}")),
        (Type::new(oid::INT4_ARRAY), "1,2", Err("22P02".to_owned())),
        (Type::TEXT, "a\0b", Err("22021".to_owned())),
    ];
    for (ty, text, expected) in table {
        assert_eq!(&read(*ty, text), expected, "{text:?}");
    }
}

#[test]
fn binary_values_survive_the_way_in_and_out() {
    let table: &[(Oid, &[u8])] = &[
        (oid::BOOL, &[1]),
        (oid::INT2, &[0xff, 0xfe]),
        (oid::INT4, &[0x80, 0, 0, 0]),
        (oid::INT8, &[1, 2, 3, 4, 5, 6, 7, 8]),
        (oid::FLOAT4, &[0x3f, 0x80, 0, 0]),
        (oid::FLOAT8, &[0x3f, 0xf8, 0, 0, 0, 0, 0, 0]),
        (oid::TEXT, b"h\xc3\xa9"),
        (oid::BYTEA, &[0, 1, 0xff]),
        (oid::DATE, &[0, 0, 0x22, 0x3d]),
        (oid::TIME, &[0, 0, 0, 0, 0, 0x0f, 0x42, 0x40]),
        (oid::TIMESTAMP, &[0, 2, 0xb0, 0x2a, 0x26, 0x2c, 0x47, 0x41]),
        (oid::TIMESTAMPTZ, &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        (oid::INTERVAL, &[0, 0, 0, 0, 0, 0x0f, 0x42, 0x40, 0, 0, 0, 3, 0, 0, 0, 14]),
        (oid::UUID, &[7; 16]),
        (oid::JSONB, b"\x01{}"),
        (oid::NUMERIC, &[0, 2, 0, 0, 0, 0, 0, 1, 0, 12, 0x13, 0x88]),
    ];
    for (oid, bytes) in table {
        let value = decode(Type::new(*oid), Format::Binary, bytes)
            .unwrap_or_else(|error| panic!("{oid:?}: {error:?}"));
        let mut out = BytesMut::new();
        binary::write(Type::new(*oid), value.as_ref(), &mut out)
            .unwrap_or_else(|error| panic!("{oid:?}: {error:?}"));
        assert_eq!(&out[..], *bytes, "{oid:?} through {value:?}");
    }
}

#[test]
fn malformed_binary_is_refused_with_22p03() {
    for oid in [
        oid::BOOL,
        oid::INT4,
        oid::FLOAT8,
        oid::NUMERIC,
        oid::UUID,
        oid::JSONB,
        oid::INT4_ARRAY,
        oid::INTERVAL,
    ] {
        let refused = decode(Type::new(oid), Format::Binary, &[9, 9, 9]).map_err(|error| error.state);
        assert_eq!(refused, Err(sqlstate::INVALID_BINARY_REPRESENTATION), "{oid:?}");
    }
}

use wire::Oid;

//! PostgreSQL's object identifiers of the types that go over the wire.

/// A PostgreSQL object identifier. Zero means *not said*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Oid(pub u32);

impl Oid {
    /// Whether an object is named at all.
    pub fn is_specified(self) -> bool {
        self != UNSPECIFIED
    }

    /// The type's size in bytes as `pg_type.typlen` has it, -1 where it varies.
    pub fn type_len(self) -> i16 {
        match self {
            BOOL | CHAR => 1,
            INT2 => 2,
            INT4 | FLOAT4 | DATE | OID | XID | CID | REGPROC | REGCLASS | REGTYPE | REGNAMESPACE => 4,
            INT8 | FLOAT8 | TIME | TIMESTAMP | TIMESTAMPTZ | MONEY | PG_LSN => 8,
            VOID => 4,
            TIMETZ => 12,
            INTERVAL | UUID => 16,
            NAME => 64,
            UNKNOWN | CSTRING => -2,
            _ => -1,
        }
    }

    /// The array type with elements of this type, where there is one here.
    pub fn array(self) -> Option<Oid> {
        ARRAYS.iter().find(|(element, _)| *element == self).map(|(_, array)| *array)
    }

    /// The type of this array type's elements; `None` when it is no array type known here.
    pub fn element(self) -> Option<Oid> {
        ARRAYS.iter().find(|(_, array)| *array == self).map(|(element, _)| *element)
    }
}

macro_rules! oids {
    ($($name:ident = $oid:literal),* $(,)?) => {
        $(
            #[doc = concat!("Object identifier ", $oid)]
            pub const $name: Oid = Oid($oid);
        )*

        #[cfg(test)]
        const ALL: &[Oid] = &[$($name),*];
    };
}

oids! {
    UNSPECIFIED = 0,
    BOOL = 16,
    BYTEA = 17,
    CHAR = 18,
    NAME = 19,
    INT8 = 20,
    INT2 = 21,
    INT2VECTOR = 22,
    INT4 = 23,
    REGPROC = 24,
    TEXT = 25,
    OID = 26,
    TID = 27,
    XID = 28,
    CID = 29,
    OIDVECTOR = 30,
    JSON = 114,
    XML = 142,
    PG_NODE_TREE = 194,
    POINT = 600,
    CIDR = 650,
    FLOAT4 = 700,
    FLOAT8 = 701,
    UNKNOWN = 705,
    MONEY = 790,
    MACADDR = 829,
    INET = 869,
    BOOL_ARRAY = 1000,
    BYTEA_ARRAY = 1001,
    CHAR_ARRAY = 1002,
    NAME_ARRAY = 1003,
    INT2_ARRAY = 1005,
    INT4_ARRAY = 1007,
    TEXT_ARRAY = 1009,
    BPCHAR_ARRAY = 1014,
    VARCHAR_ARRAY = 1015,
    INT8_ARRAY = 1016,
    FLOAT4_ARRAY = 1021,
    FLOAT8_ARRAY = 1022,
    OID_ARRAY = 1028,
    ACLITEM = 1033,
    ACLITEM_ARRAY = 1034,
    BPCHAR = 1042,
    VARCHAR = 1043,
    DATE = 1082,
    TIME = 1083,
    TIMESTAMP = 1114,
    TIMESTAMP_ARRAY = 1115,
    DATE_ARRAY = 1182,
    TIME_ARRAY = 1183,
    TIMESTAMPTZ = 1184,
    TIMESTAMPTZ_ARRAY = 1185,
    INTERVAL = 1186,
    INTERVAL_ARRAY = 1187,
    NUMERIC_ARRAY = 1231,
    TIMETZ = 1266,
    BIT = 1560,
    VARBIT = 1562,
    NUMERIC = 1700,
    REFCURSOR = 1790,
    REGCLASS = 2205,
    REGTYPE = 2206,
    RECORD = 2249,
    CSTRING = 2275,
    ANYARRAY = 2277,
    VOID = 2278,
    UUID = 2950,
    UUID_ARRAY = 2951,
    PG_LSN = 3220,
    JSONB = 3802,
    JSON_ARRAY = 199,
    JSONB_ARRAY = 3807,
    REGNAMESPACE = 4089,
}

const ARRAYS: &[(Oid, Oid)] = &[
    (BOOL, BOOL_ARRAY),
    (BYTEA, BYTEA_ARRAY),
    (CHAR, CHAR_ARRAY),
    (NAME, NAME_ARRAY),
    (INT2, INT2_ARRAY),
    (INT4, INT4_ARRAY),
    (INT8, INT8_ARRAY),
    (TEXT, TEXT_ARRAY),
    (BPCHAR, BPCHAR_ARRAY),
    (VARCHAR, VARCHAR_ARRAY),
    (FLOAT4, FLOAT4_ARRAY),
    (FLOAT8, FLOAT8_ARRAY),
    (OID, OID_ARRAY),
    (ACLITEM, ACLITEM_ARRAY),
    (DATE, DATE_ARRAY),
    (TIME, TIME_ARRAY),
    (TIMESTAMP, TIMESTAMP_ARRAY),
    (TIMESTAMPTZ, TIMESTAMPTZ_ARRAY),
    (INTERVAL, INTERVAL_ARRAY),
    (NUMERIC, NUMERIC_ARRAY),
    (UUID, UUID_ARRAY),
    (JSON, JSON_ARRAY),
    (JSONB, JSONB_ARRAY),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_identifier_has_two_names() {
        let mut sorted = ALL.to_vec();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), ALL.len());
    }

    #[test]
    fn array_and_element_are_inverse() {
        for &(element, array) in ARRAYS {
            assert_eq!(element.array(), Some(array));
            assert_eq!(array.element(), Some(element));
        }
        assert_eq!(TEXT.element(), None);
    }
}

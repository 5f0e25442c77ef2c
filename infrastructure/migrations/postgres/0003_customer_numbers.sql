-- Customer numbers for several processes. On SQLite one process counts by itself (customer_numbers.rs).
CREATE SEQUENCE customer_numbers AS BIGINT START 1;

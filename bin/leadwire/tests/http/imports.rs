//! Customers brought in a file.

use axum::http::StatusCode;
use domain::staff::Role;
use rust_xlsxwriter::Workbook;
use serde_json::{Value, json};

use crate::kit::{Call, Person, Reply, Service};

const PATH: &str = "/api/customers/import-excel";

/// The boundary of the forms.
const BOUNDARY: &str = "----leadwire-test";

const HEADER: [&str; 4] = ["姓名", "电话", "线索来源", "备注"];

/// A form with one file.
fn form(field: &str, name: &str, file: &[u8]) -> Vec<u8> {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--{BOUNDARY}\r\n\
         Content-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    [head.as_bytes(), file, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat()
}

fn upload<'s>(service: &'s Service, by: &Person, file: &[u8]) -> Call<'s> {
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let call = service.call(axum::http::Method::POST, PATH).by(by);
    call.bytes(&kind, form("file", "客户.xlsx", file))
}

fn xlsx(rows: &[&[&str]]) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (row, cells) in (0..).zip(rows) {
        for (column, cell) in (0..).zip(*cells) {
            sheet.write_string(row, column, *cell).unwrap();
        }
    }
    book.save_to_buffer().unwrap()
}

fn csv(rows: &[&[&str]]) -> Vec<u8> {
    rows.iter().map(|cells| cells.join(",") + "\n").collect::<String>().into_bytes()
}

fn counts(reply: &Reply) -> (&Value, &Value) {
    (&reply.data()["success"], &reply.data()["fail"])
}

#[tokio::test]
async fn a_file_with_good_and_bad_rows_is_answered_in_the_shape_of_system_a() {
    let (service, [employee]) = Service::with([Role::Employee]).await;
    service.customer(&employee, "13900000009").await;
    let rows: &[&[&str]] = &[
        &["姓名*", "电话", "线索来源", "备注", "星座"],
        &["王女士", "13812345678", "抖音", "晚上", "狮子"],
        &["李先生", "", "抖音"],
        &["张三", "12", "抖音"],
        &["赵六", "138 1234 5678", "抖音"],
        &["钱七", "13900000009", "抖音"],
        &["孙八", "13712345678", "没听过"],
    ];
    let reply = upload(&service, &employee, &xlsx(rows)).send().await;
    assert_eq!(
        (reply.status, &reply.body["message"]),
        (StatusCode::OK, &json!("导入完成：成功 2 条，失败 4 条"))
    );
    assert_eq!(counts(&reply), (&json!(2), &json!(4)));
    let errors = json!([
        "第 3 行缺少必填字段",
        "第 4 行导入失败: 请输入有效的中国手机号码",
        "第 5 行导入失败: 电话与第 2 行重复",
        "第 6 行导入失败: 该手机号已存在客户记录",
    ]);
    assert_eq!(reply.data()["errors"], errors);
    assert_eq!(
        reply.data()["rows"][3],
        json!({ "row": 6, "code": "DUPLICATE_PHONE", "message": "该手机号已存在客户记录" })
    );
    assert_eq!(reply.data()["ignoredColumns"], json!(["星座"]));
    assert!(reply.header("x-position").is_some());
    // The same rows in the other format meet the customers of the first.
    let again = upload(&service, &employee, &csv(rows)).send().await;
    let codes: Vec<_> = again.data()["rows"].as_array().unwrap().iter().map(|row| &row["code"]).collect();
    let known = "DUPLICATE_PHONE";
    assert_eq!(codes, [known, "MISSING_REQUIRED", "VALIDATION_FAILED", "DUPLICATE_IN_FILE", known, known]);

    let list = service.get("/api/customers?limit=50").by(&employee).send().await;
    assert_eq!(list.data()["total"], 3, "at once, for whoever imported them");
    let found = list.data()["customers"].as_array().unwrap();
    let wang = found.iter().find(|customer| customer["phone"] == "13812345678").unwrap();
    assert_eq!((&wang["contractStatus"], &wang["leadLevel"]), (&json!("待定"), &json!("O类")));
    assert_eq!((&wang["leadSource"], &wang["remarks"]), (&json!("抖音"), &json!("晚上")));
    let sun = found.iter().find(|customer| customer["phone"] == "13712345678").unwrap();
    assert_eq!(sun["leadSource"], "其他");
    service.stop().await;
}

#[tokio::test]
async fn the_same_key_gives_the_same_answer_and_no_second_customer() {
    let (service, [manager]) = Service::with([Role::Manager]).await;
    let file = xlsx(&[&HEADER, &["王女士", "13812345678", "抖音"], &["李先生", "1", "抖音"]]);
    let first = upload(&service, &manager, &file).key("k").send().await;
    assert_eq!(counts(&first), (&json!(1), &json!(1)));
    let again = upload(&service, &manager, &file).key("k").send().await;
    assert_eq!((again.data(), again.header("x-position")), (first.data(), first.header("x-position")));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let other = xlsx(&[&HEADER, &["王女士", "13812345670", "抖音"]]);
    let other = upload(&service, &manager, &other).key("k").send().await;
    assert_eq!(other.problem(), (422, "IDEMPOTENCY_KEY_REUSED"));
    let keyless = upload(&service, &manager, &file).send().await;
    assert_eq!(keyless.data()["errors"][0], "第 2 行导入失败: 该手机号已存在客户记录");
    let list = service.get("/api/customers").by(&manager).send().await;
    assert_eq!(list.data()["total"], 1);
    // A key that named another command names no import.
    service.post("/api/customers", &crate::kit::lead("13600000000")).by(&manager).key("c").send().await;
    let reused = upload(&service, &manager, &file).key("c").send().await;
    assert_eq!(reused.problem(), (422, "IDEMPOTENCY_KEY_REUSED"));
    service.stop().await;
}

#[tokio::test]
async fn a_row_may_name_its_owner_when_the_importer_may_pick_one() {
    let (service, [manager, employee, other]) =
        Service::with([Role::Manager, Role::Employee, Role::Employee]).await;
    service.suspend(&other).await;
    let rows: &[&[&str]] = &[
        &["姓名", "电话", "线索来源", "负责人"],
        &["一", "13812345671", "抖音", "EMPLOYEE1"],
        &["二", "13812345672", "抖音", "姓名employee1"],
        &["三", "13812345673", "抖音", "谁"],
        &["四", "13812345674", "抖音", "employee2"],
        &["五", "13812345675", "抖音", ""],
    ];
    let reply = upload(&service, &manager, &xlsx(rows)).send().await;
    assert_eq!(
        reply.data()["errors"],
        json!(["第 4 行导入失败: 指定的负责人不存在", "第 5 行导入失败: 指定的负责人未激活",])
    );
    let mine = service.get(&format!("/api/customers?assignedTo={}", employee.id)).by(&manager).send().await;
    assert_eq!(mine.data()["total"], 2);
    let own = service.get(&format!("/api/customers?assignedTo={}", manager.id)).by(&manager).send().await;
    assert_eq!(own.data()["total"], 1);

    let rows: &[&[&str]] =
        &[rows[0], &["六", "13812345676", "抖音", "manager1"], &["七", "13812345677", "抖音", "employee1"]];
    let reply = upload(&service, &employee, &xlsx(rows)).send().await;
    assert_eq!(counts(&reply), (&json!(1), &json!(1)));
    assert_eq!(reply.data()["rows"][0]["code"], "FORBIDDEN");
    service.stop().await;
}

#[tokio::test]
async fn what_cannot_be_imported_is_refused_as_a_whole_and_never_our_fault() {
    let (service, [admin]) = Service::with([Role::Admin]).await;
    let good = xlsx(&[&HEADER, &["王女士", "13812345678", "抖音"]]);
    let lacking = xlsx(&[&["姓名", "微信号"], &["王女士", "wang"]]);
    let html = "<html><table><tr><td>姓名</td></tr></table></html>".as_bytes();
    let rows = format!("姓名,电话,线索来源\n{}", "a,b,c\n".repeat(20_001));
    let large = vec![b'a'; 20 * 1024 * 1024 + 1];
    let bomb = vec![0; 21 * 1024 * 1024];
    for (file, expected) in [
        (&lacking[..], (400, "MISSING_COLUMNS")),
        (b"", (400, "UNREADABLE_FILE")),
        (html, (400, "UNREADABLE_FILE")),
        (&good[..good.len() / 2], (400, "UNREADABLE_FILE")),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", (400, "UNREADABLE_FILE")),
        (b"a,b\n\0,1\n", (400, "UNREADABLE_FILE")),
        (b"\xff\xff\xff\xff", (400, "UNREADABLE_FILE")),
        (rows.as_bytes(), (413, "PAYLOAD_TOO_LARGE")),
        (&large, (413, "PAYLOAD_TOO_LARGE")),
        (&bomb, (413, "PAYLOAD_TOO_LARGE")),
    ] {
        let reply = upload(&service, &admin, file).send().await;
        assert_eq!(reply.problem(), expected, "{} bytes: {reply:?}", file.len());
    }
    let reply = upload(&service, &admin, &lacking).send().await;
    assert_eq!(reply.body["message"], "缺少必填列：电话、线索来源");
    assert_eq!(reply.body["error"]["details"]["columns"], json!(["电话", "线索来源"]));

    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let call = || service.call(axum::http::Method::POST, PATH).by(&admin);
    for (kind, body, expected) in [
        (&*kind, form("other", "a.xlsx", &good), (400, "MALFORMED_FORM")),
        (&kind, b"--nothing".to_vec(), (400, "MALFORMED_FORM")),
        (&kind, Vec::new(), (400, "MALFORMED_FORM")),
        ("multipart/form-data", form("file", "a.xlsx", &good), (400, "MALFORMED_FORM")),
        ("application/json", b"{}".to_vec(), (415, "UNSUPPORTED_MEDIA_TYPE")),
    ] {
        let reply = call().bytes(kind, body).send().await;
        assert_eq!(reply.problem(), expected, "{kind} {reply:?}");
    }
    let mut two = form("file", "a.xlsx", &good);
    two.truncate(two.len() - "--\r\n".len());
    two.extend_from_slice(b"\r\n");
    two.extend_from_slice(&form("file", "b.xlsx", &good)[format!("--{BOUNDARY}\r\n").len()..]);
    let reply = call().bytes(&kind, two).send().await;
    assert_eq!(reply.problem(), (400, "MALFORMED_FORM"), "{reply:?}");
    assert_eq!(reply.body["message"], "一次只能上传一个文件（表单字段 file 只能出现一次）");
    let conditional = upload(&service, &admin, &good).header("if-match", "\"3\"").send().await;
    assert_eq!(conditional.problem(), (400, "INVALID_HEADER"));
    let list = service.get("/api/customers").by(&admin).send().await;
    assert_eq!(list.data()["total"], 0);
    service.stop().await;
}

#[tokio::test]
async fn damaged_files_are_told_and_never_our_fault() {
    let (service, [admin]) = Service::with([Role::Admin]).await;
    let good = xlsx(&[&HEADER, &["王女士", "13812345678", "抖音"]]);
    for step in 0..60 {
        let mut file = good.clone();
        let at = step * 7919 % file.len();
        file[at] = file[at].wrapping_add(0x5a);
        file.truncate(file.len() - step % 7);
        let reply = upload(&service, &admin, &file).send().await;
        assert!(reply.status.as_u16() < 500, "byte {at}: {reply:?}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_file_without_a_good_row_writes_nothing() {
    let (service, [admin]) = Service::with([Role::Admin]).await;
    service.settle().await;
    let head = service.running.app().bus.log().head().await.unwrap();
    let file = xlsx(&[&HEADER, &["王女士", "1", "抖音"], &["", "13812345678", "抖音"]]);
    let reply = upload(&service, &admin, &file).header("accept-language", "en").send().await;
    assert_eq!(reply.body["message"], "Imported: 0 done, 2 failed");
    let errors = json!([
        "Row 2 was not imported: phone must be a Chinese phone number",
        "Row 3 lacks required fields"
    ]);
    assert_eq!(reply.data()["errors"], errors);
    assert_eq!(service.running.app().bus.log().head().await.unwrap(), head);
    service.stop().await;
}

#[tokio::test]
async fn the_template_comes_as_a_file_that_imports_as_it_is() {
    let (service, [employee]) = Service::with([Role::Employee]).await;
    let (status, headers, file) =
        service.get("/api/customers/import-template").by(&employee).send_raw().await;
    assert_eq!(status, StatusCode::OK);
    let header = |name| headers.get(name).map(|value: &axum::http::HeaderValue| value.to_str().unwrap());
    assert!(header("content-type").is_some_and(|kind| kind.ends_with("spreadsheetml.sheet")));
    assert!(header("content-disposition").is_some_and(|name| name.starts_with("attachment")));
    let reply = upload(&service, &employee, &file).send().await;
    assert_eq!(counts(&reply), (&json!(1), &json!(0)), "the example row");
    service.stop().await;
}

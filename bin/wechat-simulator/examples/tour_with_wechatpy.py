"""Points wechatpy, a public WeChat SDK, at the simulator and sends through every channel it knows.

    pip install 'wechatpy==1.8.18' cryptography
    cargo run -p wechat-simulator            # in another terminal
    python tour_with_wechatpy.py [http://127.0.0.1:3001]

Prints one line per step; ends with an error when something is not as it should be.
"""

import http.server
import json
import sys
import threading
import urllib.parse

import requests
from requests.adapters import HTTPAdapter
from wechatpy import WeChatClient, parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.enterprise import WeChatClient as WeComClient
from wechatpy.enterprise import parse_message as parse_wecom_message
from wechatpy.enterprise.crypto import WeChatCrypto as WeComCrypto
from wechatpy.exceptions import WeChatClientException

BASE = (sys.argv[1:] or ["http://127.0.0.1:3001"])[0].rstrip("/")
APPID, SECRET, TEMPLATE = "wx0000000000demo01", "demo-app-secret", "demo-template-lead-assigned"
OFFICIAL, OFFICIAL_SECRET = "wx0000000000demo02", "demo-official-secret"
OFFICIAL_TEMPLATE = "demo-official-template-lead-assigned"
CORP, AGENT, WECOM_SECRET = "ww0000000000demo01", 1000002, "demo-wecom-secret"
ROBOT = "00000000-0000-4000-8000-0000000demo1"
TOKEN, AES_KEY = "push-token", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"


class ToSimulator(HTTPAdapter):
    """Sends what is meant for the platforms to the simulator. It catches the addresses an SDK has built in as well."""

    def send(self, request, **kwargs):
        path = urllib.parse.urlsplit(request.url)
        request.url = BASE + urllib.parse.urlunsplit(("", "", path.path, path.query, ""))
        return super().send(request, **kwargs)


def at_simulator(client):
    for host in ("https://api.weixin.qq.com/", "https://qyapi.weixin.qq.com/"):
        client._http.mount(host, ToSimulator())
    return client


def control(path, body=None):
    answer = requests.request("POST" if body is not None else "GET", BASE + "/__sim/" + path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def received(person):
    return [one["channel"] for one in control("ledger?recipient=" + person)["received"]]


def values(**fields):
    return {key: {"value": value} for key, value in fields.items()}


class Pushed(http.server.BaseHTTPRequestHandler):
    """The server that events are pushed to: takes them apart with the SDK."""

    seen = []

    def do_POST(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        times = query["msg_signature"], query["timestamp"], query["nonce"]
        reply = "success"
        if url.path == "/wecom":
            crypto = WeComCrypto(TOKEN, AES_KEY, CORP)
            message = parse_wecom_message(crypto.decrypt_message(body, *times))
            words = "<xml><MsgType>text</MsgType><Content>about %s</Content></xml>" % message.content
            reply = crypto.encrypt_message(words, query["nonce"], query["timestamp"])
        else:
            message = parse_message(WeChatCrypto(TOKEN, AES_KEY, APPID).decrypt_message(body, *times))
        Pushed.seen.append(message)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(reply.encode())

    def do_GET(self):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        crypto = WeComCrypto(TOKEN, AES_KEY, CORP)
        echo = crypto.check_signature(query["msg_signature"], query["timestamp"], query["nonce"], query["echostr"])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(echo if isinstance(echo, bytes) else echo.encode())

    def log_message(self, *_):
        pass


def until_pushed(count):
    for _ in range(500):
        if len(control("callbacks/log")["pushed"]) >= count:
            return
        threading.Event().wait(0.01)
    raise AssertionError("nothing was pushed")


def step(words, ok):
    assert ok, words
    print("ok  " + words)


def main():
    control("reset", {})
    control("credits", {"openid": "o1", "count": 2})
    control("official/followers", {"openid": "o2"})
    control("credits", {"appid": OFFICIAL, "openid": "o2", "count": 1})
    control("cloud/users", {"staff_id": "s1", "openid": "o1"})
    control("wecom/users", {"userid": "LiSi"})

    mini = at_simulator(WeChatClient(APPID, SECRET))
    lead = values(thing1="张三", phone_number2="138****0000", thing3="新线索", time4="2026年3月1日 12:00")
    mini.wxa.send_subscribe_message("o1", TEMPLATE, lead, page="pages/lead?id=7")
    step("subscribe message of the mini program", received("o1") == ["wechat_subscribe"])

    notice = {"assignedToId": "s1", "customerName": "张三", "customerId": "c1", "assignTime": "2026-03-01T04:00:00Z"}
    call = {"type": "sendCustomerAssignNotify", "idempotencyKey": "k1", "notificationData": notice}
    first, again = (mini.cloud.invoke_cloud_function("demo-cloud-env", "quickstartFunctions", call) for _ in "12")
    step("cloud function, called twice, sent on once", first == again and received("o1")[1:] == ["wechat_cloud"])

    try:
        mini.wxa.send_subscribe_message("o1", TEMPLATE, lead)
    except WeChatClientException as refused:
        step("no credit left: %s" % refused.errcode, refused.errcode == 43101)

    official = at_simulator(WeChatClient(OFFICIAL, OFFICIAL_SECRET))
    assigned = values(thing1="张三", time3="2026年3月1日 12:00", thing4="系统分配")
    official.message.send_template("o2", OFFICIAL_TEMPLATE, assigned, url="https://leads.example/7")
    official.message.send_subscribe_message("o2", OFFICIAL_TEMPLATE, assigned, page="https://leads.example/7")
    step("both messages of the official account", received("o2") == ["wechat_template", "wechat_bizsend"])

    wecom = at_simulator(WeComClient(CORP, WECOM_SECRET))
    answer = wecom.message.send_text(AGENT, ["lisi", "nobody"], "新会员登记")
    step("WeCom app message; not reached: " + answer["invaliduser"], received("LiSi") == ["wecom_app"])

    control("faults", {"endpoint": "wecom_send", "fault": {"kind": "expire_token", "family": "wecom"}})
    wecom.message.send_text(AGENT, ["lisi"], "after the token ended early")
    step("a token that ended early: the SDK fetched another", len(received("LiSi")) == 2)

    hook = BASE + "/cgi-bin/webhook/send?key=" + ROBOT
    alarm = {"msgtype": "markdown", "markdown": {"content": "**3** leads wait"}}
    answers = [requests.post(hook, json=alarm).json()["errcode"] for _ in range(21)]
    step("robot: twenty a minute, then 45009", answers == [0] * 20 + [45009])

    server = http.server.HTTPServer(("127.0.0.1", 0), Pushed)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = "http://127.0.0.1:%d" % server.server_port
    target = {"url": url + "/wechat", "token": TOKEN, "encoding_aes_key": AES_KEY, "mode": "safe", "format": "xml"}
    control("callbacks", {"app": APPID, "target": target})
    control("callbacks", {"app": "%s/%d" % (CORP, AGENT), "target": dict(target, url=url + "/wecom")})
    control("callbacks/verify", {"app": "%s/%d" % (CORP, AGENT)})
    step("address of the WeCom app verified", True)
    control("popup", {"openid": "o1", "choices": [{"template_id": TEMPLATE, "accept": True}]})
    until_pushed(1)
    step("encrypted event of an accepted popup, read by the SDK: " + Pushed.seen[0].source, Pushed.seen[0].source == "o1")
    control("wecom/says", {"userid": "LiSi", "words": "M100"})
    until_pushed(2)
    reply = control("ledger?recipient=LiSi&channel=wecom_reply")["received"][0]["data"]["content"]
    step("a member wrote, and the SDK's encrypted reply arrived: " + reply, reply == "about M100")
    print("everything that anybody received: %s/" % BASE)


if __name__ == "__main__":
    main()

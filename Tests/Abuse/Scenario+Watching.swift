/// Clients that ask for much and take nothing of it.
extension Scenario {
    static let watching = [
        Scenario(
            name: "slow-watchers", purpose: "watchers of a busy directory that read nothing"
        ) { _, scale in
            var watcher = Script(
                .client,
                "GET /v2/keys/abuse?wait=true&recursive=true&stream=true HTTP/1.1\r\n"
                    + "Host: h\r\n\r\n")
            watcher.reads = false
            var writer = Script(.client)
            let form = "value=" + String(repeating: "v", count: 4096)
            writer.drip = Array(
                ("PUT /v2/keys/abuse/busy HTTP/1.1\r\nHost: h\r\n"
                    + "Content-Type: application/x-www-form-urlencoded\r\n"
                    + "Content-Length: \(form.utf8.count)\r\n\r\n\(form)").utf8)
            writer.dripPause = .milliseconds(250)
            return [
                scale.onslaught([watcher], count: 5000, rate: 2500),
                Onslaught([writer], count: 1, rate: 10),
            ]
        },
        Scenario(
            name: "slow-readers", purpose: "200 requests at once for 1 MiB each, nothing read",
            prepare: { victim in
                let value = String(repeating: "v", count: 1 << 20)
                _ = try victim.request("PUT", "/v2/keys/big", form: "value=" + value)
            }
        ) { _, scale in
            let get = "GET /v2/keys/big HTTP/1.1\r\nHost: h\r\n\r\n"
            var reader = Script(.client, String(repeating: get, count: 200))
            reader.reads = false
            return [scale.onslaught([reader], count: 100, rate: 50)]
        },
    ]
}

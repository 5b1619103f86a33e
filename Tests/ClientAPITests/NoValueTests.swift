import GoldenSupport
import NIOPosix
import Testing

/// `noValueOnSuccess` of etcd 3.4.
@Suite struct NoValueTests {
    @Test func onlyTheAnswersOfWritesAreShort() throws {
        let node = try SingleNode(on: MultiThreadedEventLoopGroup.singleton.next())
        defer { try? node.stop() }
        func ask(_ method: String, _ target: String, _ form: String? = nil) throws
            -> RawClient.Response
        {
            try RawClient(port: node.port).request(method, "/v2/keys\(target)", form: form)
        }
        let no = "noValueOnSuccess=true"
        let set = try ask("PUT", "/a?\(no)", "value=1")
        #expect(set.status == 201 && set.text == "{\"action\":\"set\"}\n")
        #expect(set["X-Etcd-Index"] != nil)
        let swap = try ask("PUT", "/a?prevValue=1", "value=2&\(no)")
        #expect(swap.status == 200 && swap.text == "{\"action\":\"compareAndSwap\"}\n")
        let post = try ask("POST", "/q?\(no)", "value=1")
        #expect(post.status == 201 && post.text == "{\"action\":\"create\"}\n")
        // An error says all it has to say.
        let failed = try ask("PUT", "/a?prevValue=1&\(no)", "value=3")
        #expect(failed.status == 412 && failed.text.contains("[1 != 2]"))
        #expect(try ask("GET", "/a?\(no)").text.contains("\"value\":\"2\""))
        // What is no boolean is passed over, as 2.3 passes the whole parameter over.
        #expect(
            try ask("PUT", "/a?noValueOnSuccess=maybe", "value=4").text.contains("\"value\":\"4\""))
        #expect(try ask("DELETE", "/a?\(no)").text.contains("\"prevNode\""))
    }
}

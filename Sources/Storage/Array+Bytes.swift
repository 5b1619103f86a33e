extension [UInt8] {
    /// As `withUnsafeBytes`, which rethrows untyped: here the outcome travels as a value.
    func withBytes<Output, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Output
    ) throws(Failure) -> Output {
        let outcome = withUnsafeBytes { bytes -> Result<Output, Failure> in
            do throws(Failure) { return .success(try body(bytes)) } catch { return .failure(error) }
        }
        return try outcome.get()
    }
}

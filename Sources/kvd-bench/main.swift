import BenchCore
probe()

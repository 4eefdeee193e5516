-- wrk: one row, each request with the next key: user-FIRST, user-FIRST+1, …
wrk.method = "POST"
wrk.body = os.getenv("WEIR_BENCH_BODY")
wrk.headers["Content-Type"] = "application/json"
local at = tonumber(os.getenv("WEIR_BENCH_FIRST"))
request = function()
  wrk.headers["weir-routing-key"] = "user-" .. at
  at = at + 1
  return wrk.format()
end

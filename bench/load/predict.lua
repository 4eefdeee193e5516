-- wrk: V2 requests. The lines of the file WEIR_BENCH_BODIES in turn, as JSON; or always the whole
-- file WEIR_BENCH_BODY, whose first WEIR_BENCH_JSON_BYTES are JSON where it is not 0.
local bodies = {}
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local whole = os.getenv("WEIR_BENCH_BODY") or ""
if whole ~= "" then
  bodies[1] = io.open(whole, "rb"):read("*a")
  local json_bytes = os.getenv("WEIR_BENCH_JSON_BYTES") or "0"
  if json_bytes ~= "0" then
    wrk.headers["Content-Type"] = "application/octet-stream"
    wrk.headers["Inference-Header-Content-Length"] = json_bytes
  end
else
  for line in io.lines(os.getenv("WEIR_BENCH_BODIES")) do
    bodies[#bodies + 1] = line
  end
end
-- With WEIR_BENCH_MODELS = N the endpoints m0 … m(N-1) in turn, instead of that of the URL.
local models = tonumber(os.getenv("WEIR_BENCH_MODELS") or "0")
local at = 0
request = function()
  at = at + 1
  local body = bodies[at % #bodies + 1]
  if models == 0 then return wrk.format(nil, nil, nil, body) end
  return wrk.format(nil, "/v2/models/m" .. at % models .. "/infer", nil, body)
end
-- Milliseconds that a connection rests on average between two requests; drawn evenly from 0 to 2×.
local rest = tonumber(os.getenv("WEIR_BENCH_REST_MS") or "0")
if rest > 0 then
  delay = function()
    return math.random(0, 2 * rest)
  end
end

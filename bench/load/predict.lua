-- wrk: the rows of the electricity set in turn, as V2 JSON.
local bodies = {}
for line in io.lines(os.getenv("WEIR_BENCH_BODIES")) do
  bodies[#bodies + 1] = line
end
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local at = 0
request = function()
  at = at % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[at])
end
-- Milliseconds that a connection rests on average between two requests; drawn evenly from 0 to 2×.
local rest = tonumber(os.getenv("WEIR_BENCH_REST_MS") or "0")
if rest > 0 then
  delay = function()
    return math.random(0, 2 * rest)
  end
end

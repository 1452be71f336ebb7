-- wrk script: posts one 600-byte lead per request, each of another person, with the key in BENCH_KEY.
local thread_count = 0
function setup(thread)
  thread:set("number", thread_count)
  thread_count = thread_count + 1
end

local count = 0
local headers = {
  ["Content-Type"] = "application/json",
  ["Authorization"] = "Bearer " .. (os.getenv("BENCH_KEY") or ""),
}
local run = os.getenv("BENCH_RUN") or "0"
local before = '{"external_id": "web-'
local after = '", "occurred_at": "2026-11-21T09:29:58Z", "kind": "demo_request", "source": "website",' ..
  ' "contact": {"email": "%s@example.com", "phone": "+32 470 12 34 56", "first_name": "Jo", "last_name": "Peeters",' ..
  ' "job_title": "Head of IT", "country": "BE", "language": "nl"},' ..
  ' "company": {"name": "Example NV", "domain": "example.com", "employees": 120, "country": "BE"},' ..
  ' "channel": "paid_search", "campaign": "q4-demo", "page_url": "https://acme.example/demo",' ..
  ' "message": "Can we talk?",' ..
  ' "consent": {"basis": "opt_in", "text": "Acme may contact me", "given_at": "2026-11-21T09:29:50Z"}}'

function request()
  count = count + 1
  local id = run .. "-" .. number .. "-" .. count
  return wrk.format("POST", "/v1/leads", headers, before .. id .. string.format(after, "p" .. id))
end


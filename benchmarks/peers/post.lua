-- For wrk: posts the file that its first argument names, and prints what was measured as one line of JSON.

init = function(args)
  local file = assert(io.open(args[1], "rb"))
  wrk.method = "POST"
  wrk.body = file:read("*a")
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Accept"] = "application/json"
  file:close()
end

done = function(summary, latency, requests)
  local errors = summary.errors
  print(string.format(
    'figures {"requests":%d,"bytes":%d,"seconds":%.6f,"p50":%.3f,"p99":%.3f,'
      .. '"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}',
    summary.requests, summary.bytes, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect, errors.read, errors.write, errors.status, errors.timeout
  ))
end

#!lua flags=allow-oom
-- Say which run of the server this is; found the project where that is wanted.
-- KEYS: meta epoch   ARGV: run shift wanted-id found? id-known lease-ms
-- Returns {id, format, lease-ms, now-ms} or {} when there is no such project.
local epoch = KEYS[2]
local run, wanted, found, known, lease = ARGV[1], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local clock = now()
if not call('HGET', meta, 'id') then
  if found ~= '1' and known == '' then return {} end
  call('HSET', meta, 'id', wanted, 'format', '1', 'lease', lease, 'created', clock)
  if known ~= '' then
    -- Emptied under a living handle. Its tombstones are lost with the rest: nothing that
    -- was begun before may be published as if it had never been killed.
    local time = call('TIME')
    local first = bytes(time[1] * 1000000 + time[2])
    call('SET', epoch, first)
    call('HSET', meta, 'least', first)
  end
end
if call('HGET', meta, 'run') ~= run then
  call('HSET', meta, 'run', run, 'since', clock)
end
local have = call('HMGET', meta, 'id', 'format', 'lease')
return {have[1], have[2], have[3], tostring(clock)}

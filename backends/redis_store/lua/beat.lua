#!lua flags=allow-oom
-- Renew an owner's deadline, if it is there: 1, else 0.
-- KEYS: meta owners   ARGV: run shift owner lease-ms
if restarted() then return 'RESTARTED' end
local record = call('HGET', KEYS[2], ARGV[3])
if not record then return 0 end
call('HSET', KEYS[2], ARGV[3], bytes(now() + ARGV[4]) .. sub(record, 9))
return 1

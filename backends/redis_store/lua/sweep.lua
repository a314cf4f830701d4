#!lua flags=allow-oom
-- Remove the chunks of one payload, unless the entry of its key names it: -1 then.
-- KEYS: meta heads chunk...   ARGV: run shift key token
if restarted() then return 'RESTARTED' end
local entry = call('HGET', KEYS[2], ARGV[3])
if entry and string.byte(entry, 60) ~= 0 and string.find(entry, ARGV[4], 1, true) then return -1 end
local gone = 0
for i = 3, #KEYS do gone = gone + call('UNLINK', KEYS[i]) end
return gone

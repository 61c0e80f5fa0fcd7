/* SPDX-License-Identifier: GPL-2.0 */
/* Two events bracket each request; their difference is its latency. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM aoetgt

#if !defined(AOETGT_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define AOETGT_TRACE_H

#include <linux/tracepoint.h>

#include "aoetgt.h"

TRACE_EVENT(aoetgt_request_start,
	TP_PROTO(const struct aoetgt_request *req),
	TP_ARGS(req),
	TP_STRUCT__entry(
		__field(const void *, req)
		__field(u16, shelf)
		__field(u8, slot)
		__field(u8, command)
		__field(u32, tag)
		__array(u8, client, ETH_ALEN)
		__field(u8, opcode)
		__field(u8, nsect)
	),
	TP_fast_assign(
		bool ata = req->frame.hdr.command == AOE_CMD_ATA;

		__entry->req = req;
		__entry->shelf = req->target->shelf;
		__entry->slot = req->target->slot;
		__entry->command = req->frame.hdr.command;
		__entry->tag = be32_to_cpu(req->frame.hdr.tag);
		memcpy(__entry->client, req->client, ETH_ALEN);
		__entry->opcode = ata ? req->frame.ata.cmd_status : 0;
		__entry->nsect = ata ? req->frame.ata.nsect : 0;
	),
	TP_printk("req=%p target=e%u.%u client=%pM tag=%#x command=%u opcode=%#x sectors=%u",
		  __entry->req, __entry->shelf, __entry->slot, __entry->client, __entry->tag,
		  __entry->command, __entry->opcode, __entry->nsect)
);

/* @drop: enum aoetgt_stat of the reason, 0 when the request was answered. */
TRACE_EVENT(aoetgt_request_end,
	TP_PROTO(const struct aoetgt_request *req, int drop),
	TP_ARGS(req, drop),
	TP_STRUCT__entry(
		__field(const void *, req)
		__field(u16, shelf)
		__field(u8, slot)
		__field(u32, tag)
		__field(int, drop)
	),
	TP_fast_assign(
		__entry->req = req;
		__entry->shelf = req->target->shelf;
		__entry->slot = req->target->slot;
		__entry->tag = be32_to_cpu(req->frame.hdr.tag);
		__entry->drop = drop;
	),
	TP_printk("req=%p target=e%u.%u tag=%#x %s=%d", __entry->req, __entry->shelf,
		  __entry->slot, __entry->tag, __entry->drop ? "drop" : "reply", __entry->drop)
);

#endif /* AOETGT_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>

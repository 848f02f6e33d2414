/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/yaml.h"

#include "cli/message.h"
#include "party/error.h"

size_t cli_yaml_line(const cli_yaml *y)
{
    return y->event.start_mark.line + 1;
}

tally_status cli_yaml_refuse(const cli_yaml *y, size_t line, const char *what, const char *hint)
{
    cli_fail(y->error, TALLY_ERR_USAGE, "%s:%zu: %s", y->path, line, party_word(what));
    cli_hint(y->error, PARTY_WHOLE, hint);
    return TALLY_ERR_USAGE;
}

tally_status cli_yaml_open(cli_yaml *y, const unsigned char *bytes, size_t len)
{
    if (!yaml_parser_initialize(&y->parser))
        return cli_fail(y->error, TALLY_ERR_NO_MEMORY, "out of memory");
    yaml_parser_set_encoding(&y->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&y->parser, bytes, len);
    return TALLY_OK;
}

void cli_yaml_close(cli_yaml *y)
{
    if (y->held)
        yaml_event_delete(&y->event);
    y->held = 0;
    yaml_parser_delete(&y->parser);
}

tally_status cli_yaml_next(cli_yaml *y)
{
    if (y->held)
        yaml_event_delete(&y->event);
    y->held = 0;
    if (!yaml_parser_parse(&y->parser, &y->event)) {
        char what[600];
        if (y->parser.error == YAML_MEMORY_ERROR)
            return cli_fail(y->error, TALLY_ERR_NO_MEMORY, "out of memory");
        party_both(what, sizeof what, "not YAML: %s", y->parser.problem ? y->parser.problem : "unreadable");
        return cli_yaml_refuse(y, y->parser.problem_mark.line + 1, what, y->form);
    }
    y->held = 1;
    const yaml_event_t *e = &y->event;
    int scalar = e->type == YAML_SCALAR_EVENT, map = e->type == YAML_MAPPING_START_EVENT,
        list = e->type == YAML_SEQUENCE_START_EVENT;
    if (e->type == YAML_ALIAS_EVENT || (scalar && (e->data.scalar.anchor || e->data.scalar.tag)) ||
        (map && (e->data.mapping_start.anchor || e->data.mapping_start.tag)) ||
        (list && (e->data.sequence_start.anchor || e->data.sequence_start.tag)))
        return cli_yaml_refuse(y, cli_yaml_line(y), "anchors (&), aliases (*) and tags (!) are not allowed",
                               "leave it out; text that begins with one of these goes in quotes");
    return TALLY_OK;
}

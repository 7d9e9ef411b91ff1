using System.Text.Json;
using Bellhop.Infrastructure.Expressions;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Expressions;

public sealed class TemplateTests
{
    [Theory]
    [InlineData("""{"a":1,"b":["x",null,1.10]}""", """{"a":1,"b":["x",null,1.10]}""")]
    [InlineData("\"${data.total}\"", "250")]
    [InlineData("\"${data.price}\"", "1.10")]
    [InlineData("\"${data.tags}\"", """["new", "vip"]""")]
    [InlineData("\"${data.nothing}\"", "null")]
    [InlineData("\"${event.type}\"", "\"ticket.created\"")]
    [InlineData(
        "\"${data.lines.map(l, {'sku': l.sku, 'n': l.count + 1})}\"",
        """[{"sku":"a","n":3},{"sku":"b","n":1}]"""
    )]
    [InlineData("\"order ${data.total}\"", "\"order 250\"")]
    [InlineData("\"${data.total} ${data.flag} ${data.price}!\"", "\"250 true 1.10!\"")]
    [InlineData("\" ${data.total}\"", "\" 250\"")]
    [InlineData("\"${data.total}${data.total}\"", "\"250250\"")]
    [InlineData("\"tags: ${data.tags}\"", "\"tags: [\\u0022new\\u0022, \\u0022vip\\u0022]\"")]
    [InlineData("\"${'}'}\"", "\"}\"")]
    [InlineData("\"a ${ {'b': {'c': 1}}.b.c } d } e\"", "\"a 1 d } e\"")]
    [InlineData("\"$${data.total}\"", "\"${data.total}\"")]
    [InlineData("\"$${a} ${data.total} $$${b} $ {c} $\"", "\"${a} 250 $${b} $ {c} $\"")]
    [InlineData("\"$5 and 5$\"", "\"$5 and 5$\"")]
    [InlineData(
        """{"deep":[{"x":"${data.total}","fixed":{"y":1}}],"z":2}""",
        """{"deep":[{"x":250,"fixed":{"y":1}}],"z":2}"""
    )]
    [InlineData("\"it's ${data.total} o'clock\"", "\"it\\u0027s 250 o\\u0027clock\"")]
    [InlineData("\"line\\n${\\n  data.total // why\\n}\"", "\"line\\n250\"")]
    [InlineData("\"${data.nothing == null ? '' : data.nothing}/x\"", "\"/x\"")]
    public void A_document_is_rendered_with_its_expressions_evaluated(string document, string expected)
    {
        var compiled = Template.Compile(JsonElement.Parse(document), Evaluation.Scope);

        Assert.Null(compiled.Error);
        var rendered = compiled.Value.Render(Evaluation.Variables);
        Assert.Null(rendered.Error);
        Assert.Equal(expected, rendered.Value.GetRawText());
    }

    [Theory]
    [InlineData("""{"a":["x","${data.total +}"]}""", "/a/1 syntax@1:15")]
    [InlineData("""{"a/b~c":"one\ntwo ${evnt.type}"}""", "/a~1b~0c unknown_name@2:7")]
    [InlineData("\"😀 ${data.total\"", " syntax@1:15")]
    [InlineData("\"${}\"", " syntax@1:3")]
    [InlineData("\"${\"", " syntax@1:3")]
    [InlineData("\"${data.total} ${1 + 'a'}\"", " type_mismatch@1:19")]
    [InlineData("""{"${data.total}":1}""", "/${data.total} expression_in_name@1:1")]
    [InlineData("\"\\ud800 ${data.total}\"", " bad_text@1:1")]
    public void A_template_that_cannot_work_is_refused_with_pointer_line_and_column(string document, string expected)
    {
        var error = Template.Compile(JsonElement.Parse(document), Evaluation.Scope).Error;

        Assert.NotNull(error);
        Assert.Equal(expected, $"{error.Pointer} {Evaluation.Written(error)}");
    }

    [Theory]
    [InlineData("""{"a":["${data.missing}"]}""", "/a/0 missing_member@1:8")]
    [InlineData("""{"a":"x\ny ${1 / data.lines[1].count}"}""", "/a division_by_zero@2:7")]
    [InlineData("""{"a":"/orders/${event.subject}"}""", "/a null_in_text@1:11")]
    public void An_expression_that_fails_names_its_string(string document, string expected)
    {
        var error = Template
            .Compile(JsonElement.Parse(document), Evaluation.Scope)
            .Value.Render(Evaluation.Variables)
            .Error;

        Assert.NotNull(error);
        Assert.Equal(expected, $"{error.Pointer} {Evaluation.Written(error)}");
    }

    [Theory]
    [InlineData("\"${data.text.map(x, x)}\"", "type_mismatch")]
    [InlineData("""["${data.tags}","${data.tags}","${data.tags}"]""", "too_large")]
    [InlineData("\"${data.text} ${data.text} ${data.text}\"", "too_large")]
    [InlineData("""["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","${data.total}"]""", "too_large")]
    [InlineData(
        "\"${[1].map(x,[x,x]).map(x,[x,x]).map(x,[x,x]).map(x,[x,x]).map(x,[x,x]).map(x,[x,x])}\"",
        "too_large"
    )]
    public void Output_is_bounded(string document, string expected)
    {
        var template = Template.Compile(JsonElement.Parse(document), Evaluation.Scope).Value;

        Assert.Equal(expected, template.Render(Evaluation.Variables, maxBytes: 40).Error?.Code);
    }

    [Fact]
    public void All_expressions_of_a_rendering_share_one_budget()
    {
        const string Costly =
            "${[0,1,2,3,4,5,6,7,8,9].map(a, [0,1,2,3,4,5,6,7,8,9].map(b, [0,1,2,3,4,5,6,7,8,9].map(c, a))).size()}";
        var few = Template.Compile(Json(Enumerable.Repeat(Costly, 10)), Evaluation.Scope).Value;
        var many = Template.Compile(Json(Enumerable.Repeat(Costly, 1_000)), Evaluation.Scope).Value;

        Assert.Null(few.Render(Evaluation.Variables).Error);
        Assert.Equal("budget_exceeded", many.Render(Evaluation.Variables).Error?.Code);
    }

    [Fact]
    public void What_is_rendered_is_never_deeper_than_a_document_may_be()
    {
        var deep = string.Concat(Enumerable.Repeat("[", 63)) + string.Concat(Enumerable.Repeat("]", 63));
        var variables = Evaluation.VariablesWith($$"""{"deep":{{deep}}}""");
        var fits = Template.Compile(Json("${data.deep}"), Evaluation.Scope).Value;
        var deeper = Template.Compile(Json(new[] { new[] { "${data.deep}" } }), Evaluation.Scope).Value;

        Assert.Null(fits.Render(variables).Error);
        Assert.Equal("too_deep", deeper.Render(variables).Error?.Code);
    }

    [Fact]
    public void The_message_about_null_in_text_names_the_expression()
    {
        var template = Template.Compile(Json("to ${ event.subject }"), Evaluation.Scope).Value;

        var message = template.Render(Evaluation.Variables).Error?.Message;

        Assert.Equal("${event.subject} is null, which has no text; say what to write instead.", message);
    }

    internal static JsonElement Json<T>(T value) => JsonSerializer.SerializeToElement(value);

    [Theory]
    [InlineData("\"${secrets.crm} ${secrets['a-b']}\"", "a-b,crm")]
    [InlineData("""{"x":["${has(secrets.crm) ? 'yes' : 'no'}"]}""", "crm")]
    [InlineData("\"${data.tags.map(t, t + secrets.crm)}\"", "crm")]
    [InlineData("\"${data.tags}\"", "")]
    public void What_is_used_by_name_alone_is_known_when_it_is_compiled(string document, string expected)
    {
        var scope = Evaluation.Scope.With("secrets", Shape.Named(["crm", "a-b"]));

        var compiled = Template.Compile(JsonElement.Parse(document), scope);

        Assert.Null(compiled.Error);
        Assert.Equal(
            expected,
            string.Join(',', compiled.Value.Named.Select(use => use.Member).Order(StringComparer.Ordinal))
        );
        Assert.All(compiled.Value.Named, use => Assert.Equal("secrets", use.Name));
    }

    [Theory]
    [InlineData("${secrets}", "named_only")]
    [InlineData("${string(secrets)}", "named_only")]
    [InlineData("${secrets[data.name]}", "named_only")]
    [InlineData("${true ? secrets : data}", "named_only")]
    [InlineData("${data.tags.exists(t, t in secrets)}", "named_only")]
    [InlineData("${secrets.map(s, s)}", "named_only")]
    [InlineData("${secrets.other}", "unknown_member")]
    [InlineData("${secrets.crm.x}", "type_mismatch")]
    public void What_is_used_by_name_alone_is_used_no_other_way(string text, string code)
    {
        var scope = Evaluation.Scope.With("secrets", Shape.Named(["crm"]));

        var compiled = Template.Compile(JsonSerializer.SerializeToElement(text), scope);

        Assert.Equal(code, compiled.Error?.Code);
    }
}

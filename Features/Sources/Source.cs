using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using FluentValidation;

namespace Bellhop.Features.Sources;

/// <summary>A source as requests meet it, its keys open.</summary>
public sealed record Source(Guid ProjectId, Guid Id, string Name, WebhookScheme Scheme, IReadOnlyList<byte[]> Keys);

/// <summary>How senders sign, by the names of the schemes.</summary>
public static class SourceScheme
{
    public static readonly IReadOnlyList<string> All = [.. WebhookScheme.All.Keys.Order(StringComparer.Ordinal)];
}

/// <summary>A source as it is shown: never its secret.</summary>
/// <param name="InboundPath">Where its webhooks are to be sent. Whoever knows it can send there; without the secret, in vain.</param>
/// <param name="Revision">1, and one more with each change.</param>
public sealed record SourceView(
    Guid Id,
    [property: SlugShape] string Name,
    [property: WordOf(typeof(SourceScheme))] string Scheme,
    [property: MaxLength(64)] string InboundPath,
    [property: MaxLength(AccessRules.MaxTags), Each(Slug.MaxLength)] IReadOnlyList<string> Tags,
    [property: Range(1, int.MaxValue)] int Revision,
    DateTime CreatedAt,
    DateTime UpdatedAt
) : IRevised, IExampled<SourceView>
{
    public static SourceView Example =>
        new(
            Story.Source,
            "helpdesk",
            "standard-webhooks",
            "/in/2kTg9sXb4QmVfR7nLwYc0HpZ3dJ8aUeKoC6iN1tB5yM",
            ["support"],
            1,
            Story.SetUpAt,
            Story.SetUpAt
        );
}

/// <summary>A source as its author writes it.</summary>
/// <param name="Name">1 to 63 lower-case letters, digits and hyphens; also the source of its events.</param>
/// <param name="Scheme">How the sender signs: <c>github</c> or <c>standard-webhooks</c>.</param>
/// <param name="Secret">What the sender signs with: 8 to 500 characters; of Standard Webhooks <c>whsec_…</c>. Null: a source that is there keeps its own.</param>
/// <param name="Tags">Up to 20 slugs, by which members and keys may be narrowed to some sources.</param>
public sealed record SourceDocument(
    string? Name,
    string? Scheme,
    [property: Length(8, 500)] string? Secret,
    IReadOnlyList<string>? Tags = null
) : INamedDocument<SourceDocument>, ITagged, IExampled<SourceDocument>
{
    public static SourceDocument Example =>
        new("helpdesk", "standard-webhooks", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");

    public SourceDocument Named(string name) => this with { Name = name };
}

/// <summary>A source's row without its secrets. Not by constructor: Dapper cannot give an array to one.</summary>
internal sealed record SourceRow
{
    public required Guid Id { get; init; }

    public required string Name { get; init; }

    public required string Scheme { get; init; }

    public required string InboundPath { get; init; }

    public required string[] Tags { get; init; }

    public Guid? OwnerId { get; init; }

    public required int Revision { get; init; }

    public required DateTime CreatedAt { get; init; }

    public required DateTime UpdatedAt { get; init; }

    public SourceView ToView() => new(Id, Name, Scheme, InboundPath, Tags, Revision, CreatedAt, UpdatedAt);
}

/// <summary>What makes a document sound.</summary>
public sealed class SourceRules : AbstractValidator<SourceDocument>
{
    public SourceRules()
    {
        RuleFor(document => document.Name!).IsSlug();
        RuleFor(document => document.Scheme).IsOneOf(SourceScheme.All).WithErrorCode("unknown_scheme");
        this.AreTags(document => document.Tags);
        RuleFor(document => document.Secret)
            .Must((document, secret) => WebhookScheme.All[document.Scheme!].KeyOf(secret!) is not null)
            .When(document =>
                document.Secret is not null
                && document.Scheme is not null
                && WebhookScheme.All.ContainsKey(document.Scheme)
            )
            .WithErrorCode("invalid_secret")
            .WithMessage(document => $"A secret here is {WebhookScheme.All[document.Scheme!].SecretForm}.");
    }
}

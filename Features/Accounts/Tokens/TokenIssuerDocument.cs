using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Bellhop.Infrastructure.Outgoing;
using FluentValidation;
using FluentValidation.Results;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>An issuer whose tokens a project takes, as its author writes it.</summary>
/// <param name="Name">1 to 63 lower-case letters, digits and hyphens.</param>
/// <param name="Issuer">What stands as <c>iss</c> in its tokens, to the letter: an https URL.</param>
/// <param name="Audience">What must stand as <c>aud</c>.</param>
/// <param name="JwksUrl">Where its keys are; left out: where <c>/.well-known/openid-configuration</c> below the issuer says.</param>
/// <param name="Subject">What must stand as <c>sub</c>, to the letter; left out: anything.</param>
/// <param name="Role">What who shows such a token may do, cut down by what follows.</param>
public sealed record TokenIssuerDocument(
    string? Name,
    [property: MaxLength(AddressPolicy.MaxUrlLength)] string? Issuer,
    string? Audience,
    [property: MaxLength(AddressPolicy.MaxUrlLength)] string? JwksUrl,
    string? Subject,
    string? Role,
    IReadOnlyList<string>? Scopes = null,
    IReadOnlyList<string>? Queues = null,
    IReadOnlyList<string>? Tags = null,
    string? Owner = null,
    Hours? Hours = null,
    IReadOnlyList<string>? AllowNetworks = null
) : INamedDocument<TokenIssuerDocument>, IGrants, IExampled<TokenIssuerDocument>
{
    public static TokenIssuerDocument Example =>
        new(
            "ci",
            "https://token.actions.example.com",
            "bellhop",
            null,
            "repo:shop/orders:ref:refs/heads/main",
            "developer",
            ["events:publish"]
        );

    public TokenIssuerDocument Named(string name) => this with { Name = name };
}

/// <summary>An issuer of tokens as it is shown.</summary>
/// <param name="Revision">1, and one more with each change.</param>
public sealed record TokenIssuerView(
    Guid Id,
    [property: SlugShape] string Name,
    [property: MaxLength(AddressPolicy.MaxUrlLength)] string Issuer,
    [property: MaxLength(TokenIssuerRules.MaxLength)] string Audience,
    [property: MaxLength(AddressPolicy.MaxUrlLength)] string? JwksUrl,
    [property: MaxLength(TokenIssuerRules.MaxLength)] string? Subject,
    [property: MaxLength(63)] string Role,
    [property: MaxLength(AccessRules.MaxScopes), Each(63)] IReadOnlyList<string>? Scopes,
    [property: MaxLength(AccessRules.MaxQueues), Each(100)] IReadOnlyList<string>? Queues,
    [property: MaxLength(AccessRules.MaxTags), Each(63)] IReadOnlyList<string>? Tags,
    [property: MaxLength(63)] string? Owner,
    Hours? Hours,
    [property: MaxLength(AccessRules.MaxNetworks), Each(AccessRules.MaxNetworkLength)]
        IReadOnlyList<string>? AllowNetworks,
    [property: Range(1, int.MaxValue)] int Revision,
    DateTime CreatedAt,
    DateTime UpdatedAt
) : IRevised, IExampled<TokenIssuerView>
{
    public static TokenIssuerView Example =>
        new(
            Story.Connection,
            "ci",
            "https://token.actions.example.com",
            "bellhop",
            null,
            "repo:shop/orders:ref:refs/heads/main",
            "developer",
            ["events:publish"],
            null,
            null,
            null,
            null,
            null,
            1,
            Story.SetUpAt,
            Story.SetUpAt
        );

    public TokenIssuerDocument ToDocument() =>
        new(Name, Issuer, Audience, JwksUrl, Subject, Role, Scopes, Queues, Tags, Owner, Hours, AllowNetworks);
}

/// <summary>An issuer's row.</summary>
internal sealed record TokenIssuerRow(
    Guid Id,
    string Name,
    string Issuer,
    string Audience,
    string? JwksUrl,
    string? Subject,
    string Role,
    string Access,
    int Revision,
    DateTime CreatedAt,
    DateTime UpdatedAt
)
{
    public TokenIssuerView ToView()
    {
        var access = Infrastructure.Auth.Access.Read(Access);
        return new TokenIssuerView(
            Id,
            Name,
            Issuer,
            Audience,
            JwksUrl,
            Subject,
            Role,
            access.Scopes,
            access.Queues,
            access.Tags,
            access.Owner,
            access.Hours,
            access.AllowNetworks,
            Revision,
            CreatedAt,
            UpdatedAt
        );
    }
}

/// <summary>What makes a document sound.</summary>
public sealed class TokenIssuerRules : AbstractValidator<TokenIssuerDocument>
{
    /// <summary>Of an audience or a subject.</summary>
    public const int MaxLength = 500;

    public TokenIssuerRules(AddressPolicy addresses)
    {
        RuleFor(document => document.Name!).IsSlug();
        RuleFor(document => document.Issuer).NotEmpty();
        RuleFor(document => document.Issuer)
            .Custom((url, context) => CheckUrl(addresses, url, mayHaveQuery: false, context));
        RuleFor(document => document.Audience).NotEmpty().MaximumLength(MaxLength);
        RuleFor(document => document.JwksUrl)
            .Custom((url, context) => CheckUrl(addresses, url, mayHaveQuery: true, context));
        RuleFor(document => document.Subject)
            .MaximumLength(MaxLength)
            .Must(subject => subject is not "")
            .WithErrorCode("required")
            .WithMessage("subject is not empty; leave it out for any.");
        this.GrantAccess();
    }

    private static void CheckUrl(
        AddressPolicy addresses,
        string? url,
        bool mayHaveQuery,
        ValidationContext<TokenIssuerDocument> context
    )
    {
        if (string.IsNullOrEmpty(url))
        {
            return;
        }

        var code =
            addresses.CheckUrl(url).ErrorCode
            ?? (
                url.Contains('#', StringComparison.Ordinal)
                || (!mayHaveQuery && url.Contains('?', StringComparison.Ordinal))
                    ? OutgoingErrors.UrlInvalid
                    : null
            );
        if (code is not null)
        {
            context.AddFailure(
                new ValidationFailure(context.PropertyPath, "Keys may not be fetched from this URL.")
                {
                    ErrorCode = code,
                }
            );
        }
    }
}
